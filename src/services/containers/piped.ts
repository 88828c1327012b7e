/** A file on its way into a container, part by part: no more of it is held than what has just come. */
import type { ContainerFiles } from "../../core/containers.ts";
import { refusal, type Writer } from "../../fs/tree.ts";

/** Goes on as it comes: the provider takes one part after the other, and the file is there when it has taken all. */
export function piped(
  files: ContainerFiles,
  path: string,
  offset: number | undefined,
  maxBytes: number,
): Writer {
  let size = offset ?? 0;
  let next = Promise.withResolvers<Uint8Array | undefined>();
  let taken = Promise.withResolvers<void>();
  async function* parts(): AsyncGenerator<Uint8Array> {
    while (true) {
      const part = await next.promise;
      if (part === undefined) return;
      next = Promise.withResolvers();
      yield part;
      const before = taken;
      taken = Promise.withResolvers();
      before.resolve();
    }
  }
  const done = files.write(path, parts(), offset === undefined ? {} : { offset });
  done.catch(() => {});
  const failed = done.then(() => {
    throw refusal("io", "its provider took less than was written");
  });
  failed.catch(() => {});
  return {
    async write(chunk) {
      size += chunk.length;
      if (size > maxBytes) {
        throw refusal("too_large", `more than max_file_size_bytes, ${maxBytes}`, {
          max_file_size_bytes: maxBytes,
        });
      }
      if (chunk.length === 0) return;
      const mine = taken.promise;
      next.resolve(chunk);
      await Promise.race([mine, failed]);
    },
    async close() {
      next.resolve(undefined);
      await done;
    },
    async abort() {
      const error = refusal("interrupted", "the write was given up");
      next.promise.catch(() => {});
      next.reject(error);
      await done.catch(() => {});
    },
  };
}
