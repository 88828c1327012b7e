/** Opening a row to write, append or call it: data is gathered or streamed, and takes effect once or not at all. */
import type { OpenOptions } from "./file.ts";
import { ENDED, type Life, type Verbs } from "./life.ts";
import { chunksOf, interrupted, pull } from "./reading.ts";
import { type FileRow, MAX_WRITE_BYTES, refusal, type WriteOptions, type Writer } from "./row.ts";

export async function openWrite(
  row: FileRow,
  mode: "write" | "append",
  options: OpenOptions,
  life: Life,
): Promise<Verbs> {
  const o = writeOptions(row, mode, options, life);
  if (!row[mode]) return await streamed(() => row.writer!(mode, o), life);
  if (life.over) throw interrupted();
  const data = gathered(row.maxBytes, life);
  return {
    write: data.write,
    async close() {
      if (data.failed()) return;
      if (life.interrupted()) throw interrupted();
      await row[mode]!(data.take(), o);
    },
  };
}

/** @throws FileError `not_supported` for a part of a file that takes none, `invalid_request` for an append with an offset */
function writeOptions(
  row: FileRow,
  mode: "write" | "append",
  { match, offset, type }: OpenOptions,
  life: Life,
): WriteOptions {
  if (offset !== undefined && mode === "append") {
    throw refusal("invalid_request", "an append has no offset: it goes to the end");
  }
  if (offset !== undefined && !row.parts) {
    throw refusal("not_supported", "it is written whole, without an offset");
  }
  return {
    get signal() {
      return life.signal;
    },
    ...(match === undefined ? {} : { match }),
    ...(offset === undefined ? {} : { offset }),
    ...(type === undefined ? {} : { type }),
  };
}

interface Gathered {
  write(data: Uint8Array | undefined): Promise<void>;
  /** True once a write was refused, and its caller told. */
  failed(): boolean;
  /** Everything that was written, in one piece; then nothing is kept. */
  take(): Uint8Array;
}

function gathered(maxBytes = MAX_WRITE_BYTES, life: Life): Gathered {
  let chunks: Uint8Array[] = [];
  let size = 0;
  let failed = false;
  function fail(error: Error): never {
    failed = true;
    chunks = [];
    throw error;
  }
  return {
    // deno-lint-ignore require-await -- its refusals are rejections
    async write(data) {
      if (failed) fail(spoilt());
      if (life.interrupted()) fail(interrupted());
      if (!data) return fail(noBytes());
      size += data.length;
      if (size > maxBytes) {
        fail(refusal("too_large", `it takes ${maxBytes} bytes at the most`, { limit: maxBytes }));
      }
      chunks.push(data);
    },
    failed: () => failed,
    take() {
      const data = joined(chunks, size);
      chunks = [];
      return data;
    },
  };
}

function noBytes() {
  return refusal("invalid_request", "data is a Uint8Array");
}

function spoilt() {
  return refusal("invalid_request", "an earlier write failed; nothing of it will be kept");
}

/** One piece; a single chunk is not copied again. */
function joined(chunks: readonly Uint8Array[], size: number): Uint8Array {
  if (chunks.length === 1) return chunks[0]!;
  const all = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

/** Discards by itself when the signal aborts, so that a caller who never closes leaves nothing behind. */
async function streamed(begin: () => Writer | Promise<Writer>, life: Life): Promise<Verbs> {
  const beginning = Promise.resolve().then(begin);
  const began = await life.during(() => beginning);
  if (began === ENDED) {
    beginning.then((late) => late.abort()).catch(() => {});
    throw interrupted();
  }
  const writer = began;
  let last: Promise<unknown> = Promise.resolve();
  let told = false;
  let discarding: Promise<void> | undefined;
  let committing = false;

  /** What cannot be discarded is the row's to sweep: the caller has been told the first fault already. */
  function discard(): Promise<void> {
    discarding ??= last.then(() => writer.abort()).catch(() => {});
    return discarding;
  }

  async function fail(error: unknown): Promise<never> {
    told = true;
    await discard();
    throw error;
  }

  life.signal.addEventListener("abort", () => void (committing || discard()), { once: true });
  return {
    async write(data) {
      if (told) throw spoilt();
      if (!data) return await fail(noBytes());
      const written = await life.during(() => {
        const writing = Promise.resolve(writer.write(data));
        last = writing.catch(() => {});
        return writing;
      }).catch(fail);
      if (written === ENDED) {
        told = true;
        throw interrupted();
      }
    },
    async close() {
      if (told) return await discard();
      if (life.interrupted()) {
        await discard();
        throw interrupted();
      }
      committing = true;
      await writer.close();
    },
  };
}

/** Performed at the first read; at close, if something was written and nothing read. Never twice. */
// deno-lint-ignore require-await -- its refusals are rejections
export async function openCall(row: FileRow, options: OpenOptions, life: Life): Promise<Verbs> {
  if (life.over) throw interrupted();
  const request = gathered(row.maxBytes, life);
  let wrote = false;
  let answer: Promise<() => Promise<Uint8Array | undefined>> | undefined;

  async function perform() {
    if (request.failed()) throw spoilt();
    const { type } = options;
    const body = await life.during(() =>
      row.call!(request.take(), {
        get signal() {
          return life.signal;
        },
        ...(type === undefined ? {} : { type }),
      })
    );
    if (body === ENDED) throw interrupted();
    return pull(chunksOf(body, {}), life, () => {
      throw interrupted();
    });
  }

  return {
    async write(data) {
      if (answer) {
        throw refusal("invalid_request", "it has been called; open it again to call again");
      }
      wrote = true;
      await request.write(data);
    },
    async read() {
      answer ??= perform();
      return (await answer)();
    },
    leave: () => answer && life.end(),
    async close() {
      if (answer || !wrote || request.failed()) return;
      if (life.interrupted()) throw interrupted();
      answer = perform();
      const next = await answer;
      while (await next()) { /* an answer nobody reads still has to come to its end */ }
    },
  };
}
