/** One row of a declared tree: how a file is read, written, appended, called, watched and removed, and by whom. */
import { type Code, type ErrorExtra, FileError } from "./error.ts";
import { MATCH_ANY, MATCH_NONE, type Mode, type Stat } from "./file.ts";

/** Who looks at a tree: the names that a row's `only` lists. The tree gives them no meaning. */
export type Viewer = string;

/** What a viewer may be allowed. */
export type Right = Mode | "remove";

/** What a row answers with. The kit cuts out the range that was asked for and hands out copies. */
export type Body = Uint8Array | string | AsyncIterable<Uint8Array>;

/** `signal` aborts when the caller's does, and when the handle is closed before its end. */
export interface ReadOptions {
  /** Bytes; only rows with `ranges: true` need to look at these two. */
  readonly offset?: number;
  readonly length?: number;
  /** Stream files: only events whose `seq` is greater. */
  readonly after?: number;
  /** Stream files: only events whose `seq` is not greater. */
  readonly to?: number;
  readonly tail?: number;
  readonly signal: AbortSignal;
}

export interface WriteOptions {
  /** Compare it with `mustMatch` inside the commit. */
  readonly match?: string;
  /** First byte to replace; only rows with `parts: true` ever see one. */
  readonly offset?: number;
  /** Media type of the data. */
  readonly type?: string;
  readonly signal: AbortSignal;
}

export interface CallOptions {
  /** Media type of the request. */
  readonly type?: string;
  readonly signal: AbortSignal;
}

export interface WatchOptions {
  readonly after?: number;
  readonly tail?: number;
  readonly signal: AbortSignal;
}

/** What a file is right now. */
export interface Info {
  readonly size?: number | undefined;
  /** Milliseconds since the Unix epoch. */
  readonly modified?: number | undefined;
  readonly version?: string | undefined;
  /** Media type, where it differs from the row's. */
  readonly type?: string | undefined;
}

/** Takes data chunk by chunk. Exactly one of `close` (commit) and `abort` (discard) is called, once, after the last `write` settled. */
export interface Writer {
  write(chunk: Uint8Array): Promise<void>;
  close(): Promise<void>;
  abort(): Promise<void>;
}

/** What a watch gives; each becomes one chunk of JSON. */
export interface WatchEvent {
  readonly type: string;
  readonly [field: string]: unknown;
}

/**
 * A mode exists only if its function is declared. Functions refuse with `refusal(code, detail)`; the kit
 * adds verb and path, and tells anything else that is thrown as `internal`.
 */
export interface FileRow {
  /** Default: `call` if `call` is all there is, else `value`. */
  readonly kind?: Stat["kind"];
  /** Media type. */
  readonly type?: string;
  /** A word for people on what the file takes or gives. */
  readonly about?: string;
  /** The viewers who may; an absent right is everybody's. */
  readonly only?: Readonly<Partial<Record<Right, readonly Viewer[]>>>;
  /** Most bytes that `write`, `append` and `call` take; `MAX_WRITE_BYTES` if absent. A `writer` counts for itself. */
  readonly maxBytes?: number;
  /** A stream that is watched from its first event on where nothing else is asked for: it has an end. */
  readonly whole?: boolean;
  /** `read` handles `offset` and `length` itself. */
  readonly ranges?: boolean;
  /** `write` handles `offset`; without this, a write with an offset is `not_supported`. */
  readonly parts?: boolean;
  /** Undefined: the file does not exist (writing may create it). Absent: it exists, and that is all that is known. */
  stat?(): Promise<Info | undefined> | Info | undefined;
  /** Asked at `open`, so that its refusal is open's. */
  read?(o: ReadOptions): Promise<Body> | Body;
  /** All the data at once, at `close`. It alone decides whether the write took place. */
  write?(data: Uint8Array, o: WriteOptions): Promise<void> | void;
  append?(data: Uint8Array, o: WriteOptions): Promise<void> | void;
  /** For large data: gives `write` and `append`, as far as the row has no function of that name. Asked at `open`. */
  writer?(mode: "write" | "append", o: WriteOptions): Promise<Writer> | Writer;
  /** Performed once a handle: at its first `read`, else at `close` if something was written. */
  call?(request: Uint8Array, o: CallOptions): Promise<Body> | Body;
  /** The first event is asked for at `open`: what this does before it first waits is done when `open` resolves. Ends when `signal` aborts. */
  watch?(o: WatchOptions): AsyncIterable<WatchEvent> | Promise<AsyncIterable<WatchEvent>>;
  remove?(o: { readonly match?: string }): Promise<void> | void;
}

/** Most bytes that one handle buffers before its row takes them. */
export const MAX_WRITE_BYTES = 16 * 1024 * 1024;

/** A row's refusal; the kit fills in what was tried and on which path. */
export function refusal(code: Code, detail?: string, extra?: ErrorExtra): FileError {
  return new FileError(code, "use", "", {
    ...(detail === undefined ? {} : { detail }),
    ...(extra === undefined ? {} : { extra }),
  });
}

/** Does a file of this version (undefined: there is no file; empty: it has no versions) fulfil `match`? */
export function matches(match: string | undefined, version: string | undefined): boolean {
  if (match === undefined) return true;
  if (match === MATCH_NONE) return version === undefined;
  if (match === MATCH_ANY) return version !== undefined;
  return match === version;
}

/** @throws FileError `precondition_failed` when a file of this version does not fulfil `match`. */
export function mustMatch(match: string | undefined, version: string | undefined): void {
  if (matches(match, version)) return;
  const is = version === undefined
    ? "it does not exist"
    : version
    ? `it is at version ${version}`
    : "it has no version";
  throw refusal("precondition_failed", `asked for ${match}, but ${is}`, {
    match: match ?? "",
    ...(version === undefined ? {} : { version }),
  });
}

/** Is there a function for this mode? */
export function provides(row: FileRow, right: Right): boolean {
  if (row[right]) return true;
  return (right === "write" || right === "append") && row.writer !== undefined;
}

export function may(row: FileRow, right: Right, viewer: Viewer | undefined): boolean {
  const viewers = row.only?.[right];
  return viewers === undefined || (viewer !== undefined && viewers.includes(viewer));
}
