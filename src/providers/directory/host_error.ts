/** The host's errors as refusals. Their texts name paths of the host, so none of it is repeated. */
import { type Code, FileError } from "../../fs/error.ts";
import { refusal } from "../../fs/tree.ts";

const KNOWN: Readonly<Record<string, readonly [Code, string?]>> = Object.assign(
  Object.create(null),
  {
    ENOENT: ["not_found"],
    ELOOP: ["not_found"],
    ENOTDIR: ["not_directory", "a file has nothing below it"],
    EISDIR: ["is_directory"],
    EEXIST: ["conflict", "something of that name has just been made"],
    ENOTEMPTY: ["conflict", "it is not empty; remove what is in it first"],
    EACCES: ["permission_denied", "the host does not let this program do that"],
    EPERM: ["permission_denied", "the host does not let this program do that"],
    EROFS: ["permission_denied", "the host's file system is read-only"],
    ETXTBSY: ["conflict", "it is a program that is running"],
    ENAMETOOLONG: ["invalid_path", "the host takes no name of this length"],
    EILSEQ: ["invalid_path", "the host takes no such characters"],
    EINVAL: ["invalid_path", "the host takes no such name"],
    ENOSPC: ["quota_exceeded", "the disk is full"],
    EDQUOT: ["quota_exceeded", "the disk quota is used up"],
    EFBIG: ["too_large", "the host's file system takes no file of this size"],
  },
);

/** The host's name of an error, such as `ENOENT`; the error's own where it has none. */
function hostCode(error: unknown): string {
  const { code, name } = (error ?? {}) as { code?: unknown; name?: unknown };
  return typeof code === "string" ? code : typeof name === "string" ? name : "unknown";
}

/** As a refusal; a refusal stays what it is. */
export function refused(error: unknown): FileError {
  if (error instanceof FileError) return error;
  const code = hostCode(error);
  if (code === "NotCapable") {
    return refusal("permission_denied", "this service has no permission beyond its directory");
  }
  const [known, detail] = KNOWN[code] ?? ["io", `the host says ${code}`];
  return refusal(known, detail);
}

/** Is it only that nothing is there? */
export function isAbsence(error: unknown): boolean {
  return ["ENOENT", "ENOTDIR", "ELOOP", "ENAMETOOLONG"].includes(hostCode(error));
}

/** Runs it; what the host throws becomes a refusal. */
export function hosted<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw refused(error);
  }
}
