/** Versions as entity tags, and `If-Match` and `If-None-Match` as the `match` of a file operation. */
import { FileError, hasCode } from "../fs/error.ts";
import { type FileService, MATCH_ANY, MATCH_NONE, type Stat } from "../fs/file.ts";

const TAGS = /^\s*(?:W\/)?"[^"]*"(?:\s*,\s*(?:W\/)?"[^"]*")*\s*$/;

/** `v 1` → `"v%201"`: whatever a version holds, the tag is one. */
export function etagOf(version: string): string {
  return `"${version.replace(/[^!#$&-~]/gu, (c) => encodeURIComponent(c))}"`;
}

interface Tag {
  readonly version: string;
  readonly weak: boolean;
}

/** `any`: the header is `*`. @throws FileError `invalid_request` */
function tagsOf(header: string, name: string): readonly Tag[] | "any" {
  if (header.trim() === "*") return "any";
  if (!TAGS.test(header)) {
    throw new FileError("invalid_request", "parse", name, {
      detail: `${name} is * or a list of versions in double quotes, as ETag gave them`,
    });
  }
  return Array.from(header.matchAll(/(W\/)?"([^"]*)"/g), ([, weak, tag]) => ({
    version: versionOf(tag!),
    weak: weak !== undefined,
  }));
}

function versionOf(tag: string): string {
  try {
    return decodeURIComponent(tag);
  } catch {
    return tag;
  }
}

/**
 * What a change must match, checked in its commit. `If-Match` is asked first; with it, `If-None-Match` is not.
 * @throws FileError `invalid_request`, `precondition_failed`
 */
export async function matchOf(
  headers: Headers,
  files: FileService,
  path: string,
): Promise<string | undefined> {
  const only = headers.get("if-match");
  if (only !== null) {
    const tags = tagsOf(only, "If-Match");
    if (tags === "any") return MATCH_ANY;
    const strong = tags.filter(({ weak }) => !weak);
    if (strong.length === 1) return strong[0]!.version;
    const version = (await existing(files, path))?.version;
    if (strong.some((tag) => tag.version === version)) return version;
    throw unmet(path, version);
  }
  const none = headers.get("if-none-match");
  if (none === null) return undefined;
  const tags = tagsOf(none, "If-None-Match");
  if (tags === "any") return MATCH_NONE;
  const stat = await existing(files, path);
  if (stat === undefined) return MATCH_NONE;
  if (tags.some((tag) => tag.version === stat.version)) throw unmet(path, stat.version);
  return stat.version;
}

/**
 * Does the caller have this version already (`304`)?
 * @throws FileError `invalid_request`; `precondition_failed` if `If-Match` names others
 */
export function hasAlready(headers: Headers, path: string, { version }: Stat): boolean {
  const only = headers.get("if-match");
  if (only !== null) {
    const tags = tagsOf(only, "If-Match");
    if (tags !== "any" && !tags.some((tag) => !tag.weak && tag.version === version)) {
      throw unmet(path, version);
    }
  }
  const none = headers.get("if-none-match");
  if (none === null) return false;
  const tags = tagsOf(none, "If-None-Match");
  return tags === "any" || tags.some((tag) => tag.version === version);
}

async function existing(files: FileService, path: string): Promise<Stat | undefined> {
  try {
    return await files.stat(path);
  } catch (error) {
    if (hasCode(error, "not_found")) return undefined;
    throw error;
  }
}

function unmet(path: string, version: string | undefined): FileError {
  return new FileError("precondition_failed", "match", path, {
    detail: version === undefined ? "it has no version" : `it is at version ${version}`,
    ...(version === undefined ? {} : { extra: { version } }),
  });
}
