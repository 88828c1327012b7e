/** Watches as server-sent events. Each watcher has a bounded buffer: who does not read is dropped and told so, and holds up nothing. */
import type { Backend } from "../core/backend.ts";
import { FileError, hasCode } from "../fs/error.ts";
import type { FileHandle, Stat } from "../fs/file.ts";
import { problemOf } from "./codes.ts";

/** Watches at the same time. */
export const MAX_WATCHERS = 1_000;
/** Characters of events that wait for one watcher to read them; a single larger event is sent all the same. */
export const MAX_WATCHER_CHARS = 256 * 1024;
/** How long a watcher may leave a full buffer as it is before it is dropped. A reader who takes its time, or has much to catch up on, is waited for. */
export const SLOW_MS = 5_000;
/** A comment this often keeps proxies from closing a quiet watch. */
export const COMMENT_MS = 15_000;
/** How long a dropped watcher may take to read what it was told; then its connection is broken. */
export const DROPPED_MS = 30_000;
/** What a reader that was cut off waits before it comes back, in milliseconds. */
const RETRY_MS = 1_000;

/** Events of the watch itself. They have no `id:`, which is how they differ from a file's events. */
export const CONTROL = { end: "end", dropped: "dropped", failed: "failed" } as const;

export interface Watchers {
  readonly size: number;
  /** Opens a watch and answers with its events. @throws FileError `rate_limited` when there are too many, and what `open` refuses with */
  serve(open: (signal: AbortSignal) => Promise<FileHandle>, of: Watched): Promise<Response>;
}

export interface Watched {
  readonly kind: Stat["kind"];
  /** The seq behind which it begins; told first, for a reader that is cut off before the first event. */
  readonly begin?: number;
}

export interface WatcherOptions {
  readonly timer: Backend["timer"];
  /** Aborts when the server stops; every watch ends. */
  readonly stopping: AbortSignal;
  readonly maxWatchers?: number;
  /** Told of each watcher that is dropped. */
  readonly onDropped?: () => void;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function createWatchers(options: WatcherOptions): Watchers {
  const { timer, stopping, maxWatchers, onDropped = () => {} } = options;
  const limit = maxWatchers ?? MAX_WATCHERS;
  const all = new Set<Mailbox>();
  let unbeat: (() => void) | undefined;

  /** One timer for all, and none when nobody watches. */
  function beat(): void {
    unbeat ??= timer(COMMENT_MS, () => {
      unbeat = undefined;
      for (const box of all) box.comment();
      if (all.size) beat();
    });
  }
  function leave(box: Mailbox): void {
    all.delete(box);
    if (all.size) return;
    unbeat?.();
    unbeat = undefined;
  }
  stopping.addEventListener("abort", () => {
    for (const box of all) box.end();
  });

  return {
    get size() {
      return all.size;
    },
    async serve(open, { kind, begin }) {
      if (all.size >= limit) throw tooMany(limit);
      const life = new AbortController();
      const gone = () => {
        leave(box);
        life.abort();
      };
      const box = mailbox({ timer, begin, gone, onDropped });
      // It counts from now on: many opens at once may not pass the limit together.
      all.add(box);
      try {
        const handle = await open(life.signal);
        pump(handle, box, life);
      } catch (error) {
        box.end();
        throw error;
      }
      beat();
      return new Response(box.stream, {
        headers: {
          "content-type": "text/event-stream",
          "cache-control": "no-store",
          "x-content-type-options": "nosniff",
          "x-accel-buffering": "no",
          "agentd-kind": kind,
        },
      });
    },
  };
}

/** Moves events from the file to the box as they come, whether or not the watcher reads. */
async function pump(handle: FileHandle, box: Mailbox, life: AbortController): Promise<void> {
  try {
    while (box.open) {
      const chunk = await handle.read();
      if (!chunk) break;
      const text = eventText(decoder.decode(chunk));
      const room = box.room(text);
      if (room) await room;
      box.put(text);
    }
    box.last(life.signal.aborted ? undefined : controlText(CONTROL.end, {}));
  } catch (error) {
    // The file itself does not wait for a watcher without end.
    if (hasCode(error, "rate_limited")) box.drop();
    else box.last(controlText(CONTROL.failed, problemOf(error)));
  } finally {
    life.abort();
    await handle.close().catch(() => {});
  }
}

/** An event of a file as an SSE block: its seq is the id, its type the event. */
export function eventText(json: string): string {
  let seq: unknown, type: unknown;
  try {
    ({ seq, type } = JSON.parse(json));
  } catch { /* a chunk that is no JSON is data all the same */ }
  return (Number.isSafeInteger(seq) ? `id: ${seq}\n` : "") +
    (typeof type === "string" ? `event: ${type.replace(/[\r\n]/g, " ")}\n` : "") +
    dataText(json);
}

function controlText(event: string, data: unknown): string {
  return `event: ${event}\n${dataText(JSON.stringify(data))}`;
}

function dataText(text: string): string {
  if (!/[\r\n]/.test(text)) return `data: ${text}\n\n`;
  return text.split(/\r\n|\r|\n/).map((line) => `data: ${line}\n`).join("") + "\n";
}

/** What waits for one watcher, and the stream from which it reads. */
interface Mailbox {
  readonly stream: ReadableStream<Uint8Array>;
  readonly open: boolean;
  /** Resolves when there is room for so much more, or the watcher has had the time to make some; undefined where there is room. */
  room(text: string): Promise<void> | undefined;
  /** Drops the watcher where there is no room. */
  put(text: string): void;
  drop(): void;
  comment(): void;
  /** Nothing comes after this. */
  last(text?: string): void;
  /** Ends at once. */
  end(): void;
}

function mailbox({ timer, begin, gone, onDropped }: {
  readonly timer: Backend["timer"];
  readonly begin: number | undefined;
  readonly gone: () => void;
  readonly onDropped: () => void;
}): Mailbox {
  let waiting = [`retry: ${RETRY_MS}\n${begin === undefined ? "" : `id: ${begin}\n`}\n`];
  let chars = 0;
  let state: "open" | "closing" | "closed" = "open";
  let controller: ReadableStreamDefaultController<Uint8Array>;
  let wake: (() => void) | undefined;
  let roomMade: (() => void) | undefined;
  let letGo = () => {};

  const stream = new ReadableStream<Uint8Array>({
    start: (c) => void (controller = c),
    pull() {
      if (waiting.length || state !== "open") return flush();
      return new Promise<void>((resolve) => wake = resolve);
    },
    cancel: () => finish(() => {}),
  }, { highWaterMark: 0 });

  /** Hands over all that waits, in one piece. */
  function flush(): void {
    if (waiting.length) {
      controller.enqueue(encoder.encode(waiting.join("")));
      waiting = [];
      chars = 0;
      roomMade?.();
    }
    if (state === "closing") finish(() => controller.close());
    wake?.();
    wake = undefined;
  }
  function add(text: string): void {
    waiting.push(text);
    chars += text.length;
    if (wake) flush();
  }
  function finish(close: () => void): void {
    if (state === "closed") return;
    state = "closed";
    waiting = [];
    roomMade?.();
    letGo();
    close();
    gone();
  }
  const fits = (text: string) => chars === 0 || chars + text.length <= MAX_WATCHER_CHARS;
  function drop(): void {
    if (state !== "open") return;
    onDropped();
    last(controlText(CONTROL.dropped, {
      code: "rate_limited",
      detail: "events come faster than they are read; go on behind the last id",
      limit_chars: MAX_WATCHER_CHARS,
    }));
  }
  function last(text?: string): void {
    if (state !== "open") return;
    state = "closing";
    if (text !== undefined) waiting.push(text);
    letGo = timer(DROPPED_MS, () => {
      finish(() => controller.error(new Error("the watcher does not read")));
    });
    if (wake) flush();
  }

  return {
    stream,
    get open() {
      return state === "open";
    },
    room(text) {
      if (state !== "open" || fits(text)) return undefined;
      return new Promise((resolve) => {
        const made = () => {
          cancel();
          roomMade = undefined;
          resolve();
        };
        const cancel = timer(SLOW_MS, made);
        roomMade = made;
      });
    },
    put(text) {
      if (state !== "open") return;
      if (fits(text)) add(text);
      else drop();
    },
    drop,
    comment() {
      if (state === "open" && waiting.length === 0) add(":\n\n");
    },
    last,
    end() {
      finish(() => controller.close());
      wake?.();
    },
  };
}

function tooMany(limit: number): FileError {
  return new FileError("rate_limited", "watch", "", {
    detail: `${limit} watches are open, which is the limit; close one, or try again later`,
    extra: { limit, retry_after_ms: 5_000 },
  });
}
