/** The frames that come out of a container, read as they come. Everything in there may lie, so lengths and numbers are bounded, and what is no frame ends the reading. */
import type { OutputStream } from "../../core/containers.ts";
import { FileError } from "../../fs/error.ts";
import { MARK_BYTE, MAX_CHUNK_BYTES } from "./relay.ts";

export type Frame =
  /** Whoever feeds is there; a stream ends where this mark is. */
  | { readonly is: "hello"; readonly mark: string }
  /** The command's stdin is wanted now. */
  | { readonly is: "stdin" }
  | {
    readonly is: "chunk";
    readonly stream: OutputStream;
    /** Bytes of the stream before it. */
    readonly begin: number;
    readonly bytes: Uint8Array;
  }
  /** The stream was taken in to its end in an earlier life. */
  | { readonly is: "done"; readonly stream: OutputStream }
  | { readonly is: "end"; readonly code: string; readonly oom: boolean }
  | { readonly is: "refused"; readonly why: string };

/** The longest is a chunk's, with two numbers. */
export const MAX_LINE_BYTES = 64;
const NEWLINE = 0x0a;

export interface FrameReader {
  /** The frames that are whole by now. @throws FileError `interrupted` for what is none; nothing can be read after that */
  push(bytes: Uint8Array): Generator<Frame>;
}

/** @param session what refusals name */
export function frameReader(session: string): FrameReader {
  const line = new Uint8Array(MAX_LINE_BYTES);
  let lineSize = 0;
  let chunk: { stream: OutputStream; begin: number; bytes: Uint8Array; filled: number } | undefined;
  /** All of it is there, and what says that it is right has not come. */
  let unsure: Frame | undefined;
  let isBroken = false;

  function* push(bytes: Uint8Array): Generator<Frame> {
    let at = 0;
    while (at < bytes.length) {
      if (isBroken) throw garbled(session, "there is more behind it");
      if (chunk) {
        const part = bytes.subarray(at, at + chunk.bytes.length - chunk.filled);
        chunk.bytes.set(part, chunk.filled);
        chunk.filled += part.length;
        at += part.length;
        if (chunk.filled < chunk.bytes.length) return;
        unsure = { is: "chunk", stream: chunk.stream, begin: chunk.begin, bytes: chunk.bytes };
        chunk = undefined;
        continue;
      }
      const end = bytes.subarray(at, at + MAX_LINE_BYTES - lineSize).indexOf(NEWLINE);
      const part = bytes.subarray(at, end === -1 ? at + MAX_LINE_BYTES - lineSize : at + end);
      line.set(part, lineSize);
      lineSize += part.length;
      at += part.length + (end === -1 ? 0 : 1);
      if (end === -1) {
        if (lineSize < MAX_LINE_BYTES) return;
        isBroken = true;
        throw garbled(session, "a line is too long");
      }
      const text = ascii(line.subarray(0, lineSize));
      lineSize = 0;
      if (unsure && text === ".") {
        yield unsure;
        unsure = undefined;
        continue;
      }
      const header = headerOf(text);
      if (header === undefined || (unsure && header.is !== "refused")) {
        isBroken = true;
        throw garbled(session, "a line means nothing");
      }
      if (header.is === "chunk") {
        const { stream, begin, size } = header;
        chunk = { stream, begin, bytes: new Uint8Array(size), filled: 0 };
      } else yield header;
    }
  }
  return { push };
}

type Header =
  | Exclude<Frame, { readonly is: "chunk" }>
  | {
    readonly is: "chunk";
    readonly stream: OutputStream;
    readonly begin: number;
    readonly size: number;
  };

function headerOf(line: string): Header | undefined {
  const chunk = /^([oe]) (\d{1,16}) (\d{1,5})$/.exec(line);
  if (chunk) {
    const begin = Number(chunk[2]), size = Number(chunk[3]);
    if (size < 1 || size > MAX_CHUNK_BYTES || begin + size > Number.MAX_SAFE_INTEGER) return;
    return { is: "chunk", stream: streamOf(chunk[1]!), begin, size };
  }
  if (line === "i") return { is: "stdin" };
  const hello = /^h ([0-9a-f]{32})$/.exec(line);
  if (hello) return { is: "hello", mark: hello[1]! };
  const done = /^d ([oe])$/.exec(line);
  if (done) return { is: "done", stream: streamOf(done[1]!) };
  const end = /^x (\d{1,3}|absent|outside) ([01])$/.exec(line);
  if (end && !(Number(end[1]) > 255)) return { is: "end", code: end[1]!, oom: end[2] === "1" };
  const refused = /^r (absent|lost|full|broken|memory)$/.exec(line);
  if (refused) return { is: "refused", why: refused[1]! };
}

function streamOf(letter: string): OutputStream {
  return letter === "o" ? "stdout" : "stderr";
}

/** What is not ASCII is nothing that a line may have. */
function ascii(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}

/** What came out of the session is nothing that the relay says. */
export function garbled(session: string, what: string): FileError {
  const detail = `what carries the command's output was disturbed from inside the session: ${what}`;
  return new FileError("interrupted", "run", session, { detail });
}

/** One stream of a command, from a position on: what is old is left out, and what is behind its end. */
export interface Tape {
  /** Bytes that were given out, those of earlier lives among them. */
  readonly position: number;
  readonly isEnded: boolean;
  /** What of a chunk is new and certainly the command's. @throws FileError `interrupted` if something between is missing */
  push(begin: number, bytes: Uint8Array): Uint8Array;
  end(): void;
}

/**
 * @param from where an earlier life left it
 * @param mark what is behind the stream's end, after `MARK_BYTE`
 */
export function tape(session: string, from: number, mark: string): Tape {
  const end = new Uint8Array([MARK_BYTE, ...new TextEncoder().encode(mark)]);
  let position = from;
  let isEnded = false;
  /** What may be the beginning of the mark: shorter than it. */
  let held = new Uint8Array(0);
  return {
    get position() {
      return position;
    },
    get isEnded() {
      return isEnded;
    },
    push(begin, bytes) {
      const known = position + held.length;
      if (isEnded || begin + bytes.length <= known) return new Uint8Array(0);
      if (begin > known) throw garbled(session, "a part of the output is missing");
      const fresh = bytes.subarray(known - begin);
      const all = held.length === 0 ? fresh : joined(held, fresh);
      const at = beginOfMark(all, end);
      const out = all.subarray(0, at);
      isEnded = all.length - at >= end.length;
      held = isEnded ? new Uint8Array(0) : all.slice(at);
      position += out.length;
      return out;
    },
    end() {
      isEnded = true;
    },
  };
}

/** Where the mark begins, or what may become it at the very end; the length where there is neither. */
function beginOfMark(bytes: Uint8Array, mark: Uint8Array): number {
  let at = bytes.indexOf(MARK_BYTE);
  while (at !== -1) {
    const rest = bytes.subarray(at, at + mark.length);
    if (rest.every((byte, i) => byte === mark[i])) return at;
    at = bytes.indexOf(MARK_BYTE, at + 1);
  }
  return bytes.length;
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const all = new Uint8Array(a.length + b.length);
  all.set(a);
  all.set(b, a.length);
  return all;
}
