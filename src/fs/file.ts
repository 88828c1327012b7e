/** The upper waist: all that an agent has is a file. Paths are absolute within the service: `/` is its root. */

/** What a handle is opened for. One handle serves one mode. */
export type Mode = "read" | "write" | "append" | "call" | "watch";

export interface OpenOptions {
  /** read: first byte. write: replace bytes from here on and keep the rest (a part) instead of truncating. */
  readonly offset?: number;
  /** read: how many bytes at the most. */
  readonly length?: number;
  /** watch, and read of a stream file: only events whose `seq` is greater. */
  readonly after?: number;
  /** read of a stream file: only events whose `seq` is not greater. From n to m: `{ after: n - 1, to: m }`. */
  readonly to?: number;
  /** watch of a stream file without `after`: begin with the last so many events that are kept (0 if absent). */
  readonly tail?: number;
  /** The version the file must still have when the change is committed; `*none*`: it must not exist; `*any*`: it must exist. */
  readonly match?: string;
  /** Media type of what is written, for files that keep or interpret one. */
  readonly type?: string;
  /** Aborting discards a write, cancels a call and ends a watch. */
  readonly signal?: AbortSignal;
}

export interface Stat {
  /** Last segment of the path; `""` for the root. */
  readonly name: string;
  readonly dir: boolean;
  /** Modes in which this viewer may open it; empty for a directory that takes none. A directory may take `call`, `write`, `append` or `watch` (`/inbox`). */
  readonly modes: readonly Mode[];
  /** `value`: bytes that stand; `stream`: events with a `seq`; `call`: answers what is written to it. */
  readonly kind: "value" | "stream" | "call";
  /** Bytes, where known without reading. */
  readonly size?: number;
  /** Milliseconds since the Unix epoch. */
  readonly modified?: number;
  /** Changes whenever the content does; what `match` compares with. */
  readonly version?: string;
  /** Media type, e.g. `application/json`. Absent: `application/octet-stream`. */
  readonly type?: string;
  /** A word for people on what the file takes or gives. */
  readonly about?: string;
  /** A stream that is watched from its first event on where nothing else is asked for: it has an end. */
  readonly whole?: boolean;
}

/** A row of a listing, in byte order of `name`. */
export interface Entry {
  readonly name: string;
  readonly dir: boolean;
  readonly size?: number;
  readonly modified?: number;
}

export interface Page {
  /** Only names behind this one, in the order of the listing. */
  readonly after?: string;
  /** How many at the most, an integer from 1; default and cap 1,000. A page with fewer entries is the last. */
  readonly limit?: number;
}

/** Belongs to one caller; never shared. */
export interface FileHandle {
  /** The next chunk, `undefined` at the end. On a watch: one event (UTF-8 JSON) a chunk, waiting for it. On a call: the answer. */
  read(): Promise<Uint8Array | undefined>;
  /** Buffers or streams; takes effect at the first `read` of a call, or at `close`. */
  write(data: Uint8Array): Promise<void>;
  /** Commits what was written. A handle whose signal aborted or whose write failed discards instead. Idempotent. */
  close(): Promise<void>;
}

export interface FileService {
  open(path: string, mode: Mode, options?: OpenOptions): Promise<FileHandle>;
  stat(path: string): Promise<Stat>;
  list(path: string, page?: Page): Promise<Entry[]>;
  /** `not_supported` is an answer, never a missing method. */
  remove(path: string, options?: { readonly match?: string }): Promise<void>;
}

/** How many entries one `list` gives at the most, and by default. */
export const MAX_LIST = 1000;
export const MATCH_NONE = "*none*";
export const MATCH_ANY = "*any*";

/** An event of a stream file. */
export interface StreamEvent {
  readonly seq: number;
  readonly type: string;
  readonly [field: string]: unknown;
}
