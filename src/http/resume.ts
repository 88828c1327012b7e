/** A watch over HTTP that comes back by itself after its connection dropped, behind the last event it gave. */
import { FileError } from "../fs/error.ts";
import type { WatchEvent } from "../fs/row.ts";
import { errorOf } from "./codes.ts";
import { COMMENT_MS, CONTROL } from "./events.ts";
import { type SseBlock, sseBlocks } from "./sse.ts";
import { unavailable, type Wire } from "./wire.ts";

/** A connection on which not even a comment came for so long is dead. */
const SILENT_MS = 3 * COMMENT_MS;
/** First wait before another try; doubled up to the longest. Milliseconds. */
const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 5_000;
/** How long the server may be away before the watch gives up. */
const AWAY_MS = 60_000;

export interface WatchFrom {
  readonly after?: number | undefined;
  readonly tail?: number | undefined;
  readonly signal: AbortSignal;
}

/** Resolves once the server watches. @throws FileError what it refuses with */
export async function resumed(
  wire: Wire,
  url: string,
  from: WatchFrom,
): Promise<AsyncIterable<WatchEvent>> {
  const first = await connected(wire, url, from);
  return events(wire, url, from, first);
}

interface Connection {
  readonly blocks: AsyncIterator<SseBlock | "comment">;
  /** A stream file: its events have numbers, and nothing is lost between two connections. */
  readonly isStream: boolean;
  close(): void;
}

async function* events(
  wire: Wire,
  url: string,
  from: WatchFrom,
  first: Connection,
): AsyncGenerator<WatchEvent> {
  const { signal } = from;
  let connection: Connection | undefined = first;
  let after = from.after;
  try {
    while (!signal.aborted) {
      const next: SseBlock | "dropped" = await nextBlock(wire, connection);
      if (next === "dropped") {
        connection.close();
        if (signal.aborted) return;
        const again: WatchFrom = after === undefined ? from : { after, signal };
        connection = await reconnected(wire, url, again);
        if (!connection) return;
        // What changed in between was told to nobody.
        if (!connection.isStream) yield { type: "modified" };
        continue;
      }
      if (next.id === undefined && next.event === CONTROL.end) return;
      if (next.id === undefined && next.event === CONTROL.failed) throw told(next, url);
      if (next.id !== undefined) after = Number(next.id);
      if (next.data === "") continue;
      yield JSON.parse(next.data) as WatchEvent;
    }
  } finally {
    connection?.close();
  }
}

/** The next event; `dropped` when the connection ended, by whatever cause but the watch's own end. */
async function nextBlock(wire: Wire, { blocks, close }: Connection): Promise<SseBlock | "dropped"> {
  while (true) {
    const cancel = wire.timer(SILENT_MS, close);
    try {
      const { done, value } = await blocks.next();
      if (done) return "dropped";
      if (value === "comment") continue;
      if (value.id === undefined && value.event === CONTROL.dropped) return "dropped";
      return value;
    } catch {
      return "dropped";
    } finally {
      cancel();
    }
  }
}

async function connected(
  wire: Wire,
  url: string,
  { after, tail, signal }: WatchFrom,
): Promise<Connection> {
  const cut = new AbortController();
  const response = await wire.send({
    op: "watch",
    path: url,
    // A tail is always said: without one, the server gives people the last lines of a log.
    query: { watch: 1, after, tail: after === undefined ? tail ?? 0 : undefined },
    headers: { accept: "text/event-stream" },
    signal: AbortSignal.any([cut.signal, signal]),
  });
  if (!response.body) throw unavailable("watch", url, "the answer has no body", undefined);
  const reader = response.body.getReader();
  const close = () => {
    cut.abort();
    reader.cancel().catch(() => {});
  };
  signal.addEventListener("abort", close, { once: true, signal: cut.signal });
  if (signal.aborted) close();
  const isStream = response.headers.get("agentd-kind") === "stream";
  return { blocks: sseBlocks(reader), isStream, close };
}

/** Tries until the server answers or has been away too long. Undefined: the signal aborted. */
async function reconnected(
  wire: Wire,
  url: string,
  from: WatchFrom,
): Promise<Connection | undefined> {
  let waitMs = FIRST_WAIT_MS;
  for (let awayMs = 0;; awayMs += waitMs, waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS)) {
    try {
      return await connected(wire, url, from);
    } catch (error) {
      if (from.signal.aborted) return undefined;
      if (isFinal(error) || awayMs > AWAY_MS) throw error;
    }
    await pause(wire, waitMs, from.signal);
  }
}

/** A refusal stands; a server that is away, too busy, or behind a proxy that says so may come back. */
function isFinal(error: unknown): boolean {
  const { name, code } = error as FileError;
  return name === "FileError" && code !== "provider_unavailable" && code !== "rate_limited";
}

function pause(wire: Wire, delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      cancel();
      signal.removeEventListener("abort", done);
      resolve();
    };
    const cancel = wire.timer(delayMs, done);
    signal.addEventListener("abort", done);
  });
}

function told(block: SseBlock, url: string): FileError {
  let body: unknown;
  try {
    body = JSON.parse(block.data);
  } catch { /* then it says nothing */ }
  return errorOf(body, "watch", url) ?? new FileError("provider_unavailable", "watch", url);
}
