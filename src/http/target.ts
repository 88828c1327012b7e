/** What a request names: the raw URL split on "/", each segment decoded once. `new URL()` would quietly turn `logs/%2e%2e/status` into `/status`. */
import { FileError } from "../fs/error.ts";
import { joinPath, segmentFault } from "../fs/path.ts";

export interface Target {
  /** Decoded. */
  readonly names: readonly string[];
  /** It ended in `/`: the directory. */
  readonly dir: boolean;
  /** As it was sent, without the query. */
  readonly path: string;
  /** Undefined without a query. */
  readonly query: Query | undefined;
}

export interface Query {
  /** The first value of that name, decoded; `""` for a bare name. */
  get(name: string): string | undefined;
}

/** The path of a raw URL, as it was sent: from the first `/` behind the authority to the query. */
export function rawPath(url: string): string {
  const authority = url.indexOf("://");
  const start = url.indexOf("/", authority < 0 ? 0 : authority + 3);
  if (start < 0) return "/";
  const end = endOfPath(url, start);
  return url.slice(start, end);
}

/** The path without escapes that a name can do without, which is how routes are found: `/agents/abc/%73end` is `/agents/abc/send`. */
export function plainPath(url: string): string {
  const path = rawPath(url);
  if (!path.includes("%")) return path;
  return path.replace(/%[0-9a-f]{2}/gi, (escape) => {
    const c = String.fromCharCode(parseInt(escape.slice(1), 16));
    return /[\w.~-]/.test(c) ? c : escape;
  });
}

/**
 * @param free names are no path of a file, so that any can stand in them
 * @throws FileError `invalid_path`, for an empty segment, a broken escape, or what cannot be a name once decoded
 */
export function targetOf(url: string, free = false): Target {
  const path = rawPath(url);
  const at = url.indexOf("?");
  const query = at < 0 ? undefined : queryOf(url.slice(at + 1).split("#", 1)[0]!);
  if (path === "/") return { names: [], dir: true, path, query };
  const names = path.slice(1).split("/");
  const dir = names.at(-1) === "";
  if (dir) names.pop();
  for (const [i, name] of names.entries()) names[i] = decoded(name, path, free);
  return { names, dir, path, query };
}

/** Most queries have nothing to decode, and then taking them apart is cheaper than the platform's way. */
export function queryOf(text: string): Query {
  if (/[%+]/.test(text)) {
    const params = new URLSearchParams(text);
    return { get: (name) => params.get(name) ?? undefined };
  }
  const pairs = text.split("&");
  return {
    get(name) {
      for (const pair of pairs) {
        if (pair === name) return "";
        if (pair.startsWith(name) && pair[name.length] === "=") return pair.slice(name.length + 1);
      }
    },
  };
}

/** The file that a target names, behind its first `skip` segments. */
export function fileOf({ names, dir }: Target, skip: number): string {
  const path = joinPath(names.slice(skip));
  return dir && path !== "/" ? `${path}/` : path;
}

function endOfPath(url: string, start: number): number {
  for (let i = start; i < url.length; i++) {
    const c = url.charCodeAt(i);
    if (c === 0x3f || c === 0x23) return i;
  }
  return url.length;
}

function decoded(segment: string, path: string, free: boolean): string {
  const refuse = (detail: string) =>
    new FileError("invalid_path", "open", path.slice(0, 200), { detail });
  let name = segment;
  if (segment.includes("%")) {
    try {
      name = decodeURIComponent(segment);
    } catch {
      throw refuse(`"${segment.slice(0, 100)}" is not percent-encoded UTF-8`);
    }
  }
  const fault = free ? undefined : segmentFault(name);
  if (fault) throw refuse(fault);
  return name;
}

/** A decimal integer from 0 that is exact; undefined for anything else. */
export function wholeNumber(text: string): number | undefined {
  if (!/^[0-9]{1,16}$/.test(text)) return undefined;
  const number = Number(text);
  return Number.isSafeInteger(number) ? number : undefined;
}
