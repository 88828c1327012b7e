/** Small text files that only their owner can read: read whole, and written whole or not at all. */
import { FileError } from "../fs/error.ts";

/** Permission bits of group and others. */
const OTHERS = 0o077;

/** Undefined if there is none. @throws FileError `permission_denied` when others may read it, `io` */
export async function readPrivate(path: string): Promise<string | undefined> {
  try {
    using file = await Deno.open(path, { read: true });
    const { mode } = await file.stat();
    if (Deno.build.os !== "windows" && mode !== null && (mode & OTHERS) !== 0) {
      throw new FileError("permission_denied", "read", path, {
        detail: `other users may read this file; chmod 600 ${JSON.stringify(path)}`,
      });
    }
    return await new Response(file.readable).text();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw asFileError("read", path, error);
  }
}

/** Beside the file and then over it, so that a crash leaves the old one or the new one. Durable when it resolves. @throws FileError `permission_denied`, `io` */
export async function writePrivate(path: string, text: string): Promise<void> {
  const draft = `${path}.new`;
  try {
    await Deno.remove(draft).catch(() => {});
    {
      using file = await Deno.open(draft, { write: true, createNew: true, mode: 0o600 });
      const bytes = new TextEncoder().encode(text);
      for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
      await file.sync();
    }
    await Deno.rename(draft, path);
    await syncDirectory(directoryOf(path));
  } catch (error) {
    await Deno.remove(draft).catch(() => {});
    throw asFileError("write", path, error);
  }
}

/** A rename is durable once its directory is. */
async function syncDirectory(path: string): Promise<void> {
  if (Deno.build.os === "windows") return;
  using directory = await Deno.open(path, { read: true });
  await directory.sync();
}

export function directoryOf(path: string): string {
  const end = path.lastIndexOf("/");
  return end < 0 ? "." : path.slice(0, end) || "/";
}

/** The platform's error names the reason and no content. */
export function asFileError(op: string, path: string, error: unknown): FileError {
  if (error instanceof FileError) return error;
  const denied = error instanceof Deno.errors.PermissionDenied ||
    error instanceof Deno.errors.NotCapable;
  const detail = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return new FileError(denied ? "permission_denied" : "io", op, path, { detail });
}
