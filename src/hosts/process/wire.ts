/**
 * Frames of the pipe between the runtime and an agent's process: 4 bytes of length, 4 bytes of JSON length, JSON, a binary tail. What comes from
 * an agent's process is hostile: anything that is not exactly this is a breach.
 */
import type { Json } from "../../core/envelope.ts";

/** A frame with its lengths. */
export const MAX_FRAME_BYTES = 1024 * 1024;

/** What a frame says; `t` is its type. */
export interface Head {
  readonly t: string;
  readonly [field: string]: Json | undefined;
}

export interface Frame {
  readonly head: Head;
  readonly tail: Uint8Array;
}

// Taken before any agent's code runs, which may replace what these names mean.
const { parse, stringify } = JSON;
const Bytes = Uint8Array;
const encoder = new TextEncoder();
const NO_TAIL = new Bytes();

/** The other side broke the protocol; nothing that it says is worth hearing any more. */
export function breach(what: string): Error {
  const error = new Error(what);
  error.name = "Breach";
  return error;
}

export function isBreach(error: unknown): error is Error {
  return error instanceof Error && error.name === "Breach";
}

/** @throws breach if it is larger than a frame may be */
export function encodeFrame(head: Head, tail: Uint8Array = NO_TAIL): Uint8Array {
  const json = encoder.encode(stringify(head));
  const size = 4 + json.length + tail.length;
  if (4 + size > MAX_FRAME_BYTES) {
    throw breach(`a frame of ${4 + size} bytes; at most ${MAX_FRAME_BYTES}`);
  }
  const frame = new Bytes(4 + size);
  const view = new DataView(frame.buffer);
  view.setUint32(0, size);
  view.setUint32(4, json.length);
  frame.set(json, 8);
  frame.set(tail, 8 + json.length);
  return frame;
}

/** Takes chunks as they come and gives the frames that are complete. @throws breach */
export function frameReader(): (chunk: Uint8Array) => Frame[] {
  const length = new Bytes(4);
  let lengthHas = 0;
  let frame: Uint8Array | undefined;
  let frameHas = 0;

  function begin(): Uint8Array {
    const size = new DataView(length.buffer).getUint32(0);
    if (size < 4 || 4 + size > MAX_FRAME_BYTES) throw breach(`a frame of ${size} bytes`);
    lengthHas = 0;
    frameHas = 0;
    return new Bytes(size);
  }

  return (chunk) => {
    const frames: Frame[] = [];
    for (let at = 0; at < chunk.length;) {
      if (!frame) {
        length[lengthHas++] = chunk[at++]!;
        if (lengthHas === 4) frame = begin();
        continue;
      }
      const part = chunk.subarray(at, at + frame.length - frameHas);
      frame.set(part, frameHas);
      frameHas += part.length;
      at += part.length;
      if (frameHas < frame.length) continue;
      frames.push(decode(frame));
      frame = undefined;
    }
    return frames;
  };
}

function decode(frame: Uint8Array): Frame {
  const jsonLength = new DataView(frame.buffer).getUint32(0);
  if (jsonLength > frame.length - 4) throw breach("a frame shorter than its JSON");
  const end = 4 + jsonLength;
  let head: unknown;
  try {
    head = parse(new TextDecoder("utf-8", { fatal: true }).decode(frame.subarray(4, end)));
  } catch {
    throw breach("a frame that is not JSON");
  }
  if (typeof head !== "object" || head === null || typeof (head as Head).t !== "string") {
    throw breach("a frame without a type");
  }
  return { head: head as Head, tail: frame.subarray(end) };
}
