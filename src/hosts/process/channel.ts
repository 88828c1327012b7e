/**
 * Messages over frames, the same on both sides. Messages arrive in the order in which they were sent. The body of one may be larger than a frame: it goes in parts,
 * never more than a window ahead of what the other side has taken, so that what is urgent never waits behind more than a window.
 */
import { breach, encodeFrame, type Frame, frameReader, type Head } from "./wire.ts";

/** How much of a body may be on its way. */
export const WINDOW_BYTES = 256 * 1024;
/** How much of a body goes in one frame. */
const PART_BYTES = 64 * 1024;
/** How much is written in one go. */
const WRITE_BYTES = 64 * 1024;

/** Credits for the last window of a body, of which each is half a window or more. */
const MAX_LATE_CREDITS = 2;

export interface Message {
  readonly head: Head;
  readonly body: Uint8Array | undefined;
}

export interface Channel {
  /** @throws breach if the head alone is larger than a frame */
  send(head: Head, body?: Uint8Array): void;
  /** Goes before all messages and parts that still wait. */
  sendUrgent(head: Head): void;
  /** Takes what was read from the pipe. @throws breach */
  take(chunk: Uint8Array): void;
  /** Nothing is written any more. */
  close(): void;
}

export interface ChannelOptions {
  write(bytes: Uint8Array): Promise<void>;
  deliver(message: Message): void;
  /** The most bytes that a body of this head may have. A refusal is a breach. */
  maxBodyBytes(head: Head): number;
}

interface Outgoing {
  readonly number: number;
  readonly body: Uint8Array;
  sent: number;
  /** Bytes that may be sent before the next credit. */
  window: number;
}

/** A message that waits for its turn: its first frame, and what comes after it. */
interface Waiting {
  readonly frame: Uint8Array;
  readonly rest?: Outgoing;
}

interface Incoming {
  readonly number: number;
  readonly head: Head;
  readonly body: Uint8Array;
  has: number;
  /** Bytes since the last credit. */
  uncredited: number;
}

export function channel(options: ChannelOptions): Channel {
  const urgent: Uint8Array[] = [];
  const waiting: Waiting[] = [];
  const readFrames = frameReader();
  let outgoing: Outgoing | undefined;
  let incoming: Incoming | undefined;
  let number = 0;
  let lateCredits = 0;
  let pumping = false;
  let closed = false;

  async function pump(): Promise<void> {
    if (pumping) return;
    pumping = true;
    try {
      for (let bytes = nextWrite(); bytes && !closed; bytes = nextWrite()) {
        await options.write(bytes);
      }
    } catch {
      // The other side is gone, which its reader learns by itself.
      closed = true;
    } finally {
      pumping = false;
    }
  }

  function nextWrite(): Uint8Array | undefined {
    const frames: Uint8Array[] = [];
    let size = 0;
    while (size < WRITE_BYTES) {
      const frame = urgent.shift() ?? nextPart() ?? nextMessage();
      if (!frame) break;
      frames.push(frame);
      size += frame.length;
    }
    return frames.length > 1 ? joined(frames, size) : frames[0];
  }

  function nextPart(): Uint8Array | undefined {
    if (!outgoing || outgoing.window === 0) return undefined;
    const { body, sent, window } = outgoing;
    const part = body.subarray(sent, sent + Math.min(PART_BYTES, window));
    outgoing.sent += part.length;
    outgoing.window -= part.length;
    const frame = encodeFrame({ t: "more", n: outgoing.number }, part);
    if (outgoing.sent === body.length) outgoing = undefined;
    return frame;
  }

  function nextMessage(): Uint8Array | undefined {
    if (outgoing) return undefined;
    const next = waiting.shift();
    outgoing = next?.rest;
    return next?.frame;
  }

  function asWaiting(head: Head, body: Uint8Array | undefined): Waiting {
    if (!body) return { frame: encodeFrame(head) };
    number++;
    const part = body.subarray(0, PART_BYTES);
    const frame = encodeFrame({ ...head, n: number, size: body.length }, part);
    if (part.length === body.length) return { frame };
    const window = WINDOW_BYTES - part.length;
    return { frame, rest: { number, body, sent: part.length, window } };
  }

  function takeFrame({ head, tail }: Frame): void {
    if (head.t === "more") return takePart(head, tail);
    if (head.t === "credit") return takeCredit(head);
    if (head.size === undefined) {
      if (tail.length > 0) throw breach("a tail without a size");
      return options.deliver({ head, body: undefined });
    }
    const size = naturalNumber(head.size, "size");
    const limit = options.maxBodyBytes(head);
    if (size > limit) throw breach(`a body of ${size} bytes in "${head.t}"; at most ${limit}`);
    if (incoming) throw breach("a body within another");
    if (tail.length > size) throw breach("a body longer than its size");
    if (tail.length === size) return options.deliver({ head, body: tail });
    const body = new Uint8Array(size);
    body.set(tail);
    const number = naturalNumber(head.n, "n");
    incoming = { number, head, body, has: tail.length, uncredited: tail.length };
    giveCredit();
  }

  function takePart(head: Head, tail: Uint8Array): void {
    if (!incoming || head.n !== incoming.number) throw breach("a part of no body");
    if (tail.length === 0 || incoming.has + tail.length > incoming.body.length) {
      throw breach("a part of the wrong size");
    }
    incoming.uncredited += tail.length;
    if (incoming.uncredited > WINDOW_BYTES) throw breach("more than the window");
    incoming.body.set(tail, incoming.has);
    incoming.has += tail.length;
    if (incoming.has < incoming.body.length) return giveCredit();
    const message = incoming;
    incoming = undefined;
    options.deliver({ head: message.head, body: message.body });
  }

  function giveCredit(): void {
    if (!incoming || incoming.uncredited < WINDOW_BYTES / 2) return;
    const bytes = incoming.uncredited;
    incoming.uncredited = 0;
    urgent.push(encodeFrame({ t: "credit", n: incoming.number, bytes }));
    pump();
  }

  function takeCredit(head: Head): void {
    const bytes = naturalNumber(head.bytes, "credit");
    const n = naturalNumber(head.n, "n");
    if (n > number) throw breach("a credit for what was not sent");
    if (!outgoing || n !== outgoing.number) {
      // What was given for the last parts of a body comes when it is through, and means nothing.
      if (++lateCredits > MAX_LATE_CREDITS * number) throw breach("credit for what is through");
      return;
    }
    outgoing.window += bytes;
    if (outgoing.window > WINDOW_BYTES) throw breach("more credit than the window");
    pump();
  }

  return {
    send(head, body) {
      if (closed) return;
      waiting.push(asWaiting(head, body));
      pump();
    },
    sendUrgent(head) {
      if (closed) return;
      urgent.push(encodeFrame(head));
      pump();
    },
    take(chunk) {
      for (const frame of readFrames(chunk)) takeFrame(frame);
    },
    close() {
      closed = true;
      urgent.length = 0;
      waiting.length = 0;
      outgoing = undefined;
    },
  };
}

function joined(parts: readonly Uint8Array[], size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** @throws breach unless it is a safe integer from 0 */
export function naturalNumber(value: unknown, what: string): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  throw breach(`${what} is no number`);
}
