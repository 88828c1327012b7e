/** What crosses between a directory's service and the worker that does its work. Every question is answered once; a reader asks for each chunk, and a writer sends the next when the last has been taken, so that neither side gathers what the other cannot use. */
import type { Code, ErrorExtra } from "../../fs/error.ts";
import type { Mode, OpenOptions, Page } from "../../fs/file.ts";

/** The worker's first message: which directory, and how. */
export interface Begin {
  readonly op: "begin";
  /** The host's path, absolute and real. */
  readonly root: string;
  readonly writable: boolean;
  readonly hidden: readonly string[];
}

/** `handle` is a number that the asking side has chosen. */
export type Question =
  | Begin
  | { readonly op: "stat"; readonly path: string }
  | { readonly op: "list"; readonly path: string; readonly page: Page }
  | { readonly op: "remove"; readonly path: string; readonly match: string | undefined }
  | {
    readonly op: "open";
    readonly path: string;
    readonly mode: Mode;
    readonly options: Omit<OpenOptions, "signal">;
    /** Its signal has aborted already. */
    readonly aborted: boolean;
    readonly handle: number;
  }
  | { readonly op: "read"; readonly handle: number }
  /** Undefined: what was to be written is no bytes. */
  | { readonly op: "write"; readonly handle: number; readonly data: Uint8Array | undefined }
  | { readonly op: "close"; readonly handle: number }
  /** Nothing more will be asked: what is unfinished is discarded. */
  | { readonly op: "end" };

export interface Asked {
  readonly id: number;
  readonly question: Question;
}

/** Told, not asked: the handle's signal has aborted. */
export interface Aborted {
  readonly aborted: number;
}

export interface Fault {
  readonly code: Code;
  readonly op: string;
  readonly path: string;
  readonly detail: string | undefined;
  readonly extra: ErrorExtra | undefined;
}

export type Answer =
  | { readonly id: number; readonly ok: unknown }
  | { readonly id: number; readonly fault: Fault };

/** Most bytes of one message. */
export const MAX_MESSAGE_BYTES = 256 * 1024;
/** Handles of one directory that are open at a time; each may hold one of the host's few descriptors. */
export const MAX_HANDLES = 256;
