/** Laws of watching: every event to every watcher, from the open on or from where one left off, until the signal aborts. */
import type { FileHandle, FileService, OpenOptions } from "../../src/fs/file.ts";
import { readBytes, writeText } from "../../src/fs/use.ts";
import { holds, same } from "../expect.ts";
import {
  type FileLaw,
  type FileSubject,
  inScratch,
  streamOf,
  type StreamPlace,
  withHandle,
} from "./subject.ts";

interface Event {
  readonly type?: unknown;
  readonly seq?: unknown;
  readonly name?: unknown;
  readonly from?: unknown;
  readonly to?: unknown;
}

async function next(handle: FileHandle, what: string): Promise<Event> {
  return eventOf(await handle.read(), what);
}

function eventOf(chunk: Uint8Array | undefined, what: string): Event {
  holds(chunk, `${what}: the watch ended`);
  const event = JSON.parse(new TextDecoder().decode(chunk)) as Event;
  holds(typeof event?.type === "string" && event.type, `${what}: an event has a type`);
  return event;
}

/** The next event of another type than `before`: some worlds tell one change in several events. */
async function nextAfter(handle: FileHandle, before: string, what: string): Promise<Event> {
  while (true) {
    const event = await next(handle, what);
    if (event.type !== before) return event;
  }
}

async function follows(
  handle: FileHandle,
  types: readonly string[],
  what: string,
  before = "",
): Promise<void> {
  for (const type of types) {
    same((await nextAfter(handle, before, what)).type, type, `${what}: after ${before || "open"}`);
    before = type;
  }
}

/** Has `promise` an answer by the time that the files have answered something else? */
async function isSettled(files: FileService, promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const settle = () => (settled = true);
  promise.then(settle, settle);
  await files.stat("/");
  return settled;
}

/** The last event's seq, which is there because one was emitted. */
async function lastSeq({ files }: FileSubject, { path, emit }: StreamPlace): Promise<number> {
  return await withHandle(files, path, "watch", async (handle) => {
    await emit();
    return seqOf(await next(handle, "the last event"));
  }, { tail: 1 });
}

/** The seqs of the next so many events. */
async function seqs(handle: FileHandle, count: number): Promise<number[]> {
  const seqs: number[] = [];
  while (seqs.length < count) seqs.push(seqOf(await next(handle, "an event that comes")));
  return seqs;
}

function isNoGap(event: Event): boolean {
  return event.type !== "gap";
}

function seqOf(event: Event): number {
  holds(Number.isSafeInteger(event.seq), "an event of a stream has a seq");
  return event.seq as number;
}

/** What a watch tells up to that seq. One more is emitted, so that a watch which leaves out the last comes to an end too. */
async function upTo(
  { files }: FileSubject,
  { path, emit }: StreamPlace,
  last: number,
  options: OpenOptions,
): Promise<Event[]> {
  return await withHandle(files, path, "watch", async (handle) => {
    await emit();
    const events: Event[] = [];
    while (events.length === 0 || seqOf(events.at(-1)!) < last) {
      events.push(await next(handle, "an event of the stream"));
    }
    return events.filter((event) => seqOf(event) <= last);
  }, options);
}

export const watchLaws: readonly FileLaw[] = [
  {
    id: "F28",
    name: "watch_semantics",
    says: "a watch tells modified, deleted and created to each of its watchers, misses nothing " +
      "after its open, waits while nothing happens, and ends when its signal aborts",
    needs: ["scratch", "watch"],
    async test(subject) {
      const { files } = subject;
      const path = inScratch(subject, "watched");
      await writeText(files, path, "v1");
      const abort = new AbortController();
      const options = { signal: abort.signal };
      const live = await files.open(path, "watch", options);
      const late = await files.open(path, "watch", options);
      const first = live.read();
      holds(!await isSettled(files, first), "a watch waits while nothing happens");

      await writeText(files, path, "v2");
      await files.remove(path);
      await writeText(files, path, "v3");
      await follows(late, ["modified", "deleted", "created"], "a watcher who reads late");
      same(eventOf(await first, "a read that waited").type, "modified", "what it waited for");
      await follows(live, ["deleted", "created"], "a watcher who waited", "modified");

      const waiting = late.read();
      abort.abort();
      await writeText(files, path, "v4");
      same(await waiting, undefined, "a read that waits, when its signal aborts");
      same(await late.read(), undefined, "a read after the end");
      const ended = await files.open(path, "watch", options);
      same(await ended.read(), undefined, "a watch whose signal had aborted before");
      await Promise.all([live.close(), late.close(), ended.close()]);
    },
  },
  {
    id: "F29",
    name: "close_ends_a_watch",
    says: "closing a watch ends its read that waits, and no other watch",
    needs: ["scratch", "watch"],
    async test(subject) {
      const { files } = subject;
      const path = inScratch(subject, "left");
      await writeText(files, path, "v1");
      const left = await files.open(path, "watch");
      const other = await files.open(path, "watch");
      const waiting = left.read();
      const closed = left.close();
      await writeText(files, path, "v2");
      same(await waiting, undefined, "a read that waits, when its handle is closed");
      await closed;
      await files.remove(path);
      await follows(other, ["modified", "deleted"], "the other watcher");
      await other.close();
    },
  },
  {
    id: "F30",
    name: "a_directory_is_watched",
    says: "a watch of a directory tells what happens to the files in it, by name",
    needs: ["scratch", "watch_dir"],
    async test(subject) {
      const { files } = subject;
      await writeText(files, inScratch(subject, "first"), "x");
      await withHandle(files, inScratch(subject), "watch", async (handle) => {
        await writeText(files, inScratch(subject, "new"), "x");
        await writeText(files, inScratch(subject, "first"), "y");
        await files.remove(inScratch(subject, "new"));
        let before = "";
        for (const want of ["created new", "modified first", "deleted new"]) {
          let told = before;
          while (told === before || told === "modified new") {
            const { type, name } = await next(handle, "a watch of a directory");
            told = `${type} ${name}`;
          }
          same(told, want, `what is told after ${before || "open"}`);
          before = want;
        }
      });
    },
  },
  {
    id: "F31",
    name: "a_stream_is_followed",
    says: "events have a growing seq; a watch begins with what comes, or with the last few that " +
      "are kept, or behind a seq: who comes back misses nothing and gets nothing twice",
    needs: ["stream"],
    async test(subject) {
      const { files } = subject;
      const stream = streamOf(subject);
      const { path, emit } = stream;
      for (let i = 0; i < 5; i++) await emit();
      const last = await lastSeq(subject, stream);
      const kept = (await upTo(subject, stream, last, { after: 0 })).filter(isNoGap).map(seqOf);
      holds(kept.length >= 5, "what was emitted is kept");
      same(kept, [...new Set(kept)].sort((a, b) => a - b), "seqs, growing");
      for (const after of kept.slice(-4, -1)) {
        const rest = await upTo(subject, stream, last, { after });
        same(rest.map(seqOf), kept.filter((seq) => seq > after), `events behind ${after}`);
      }

      const live = await files.open(path, "watch");
      await emit();
      const [newest] = await seqs(live, 1);
      const before = (await upTo(subject, stream, newest!, { after: 0 })).map(seqOf);
      same(before.at(-1), newest, "a watch without after begins with what comes");
      holds(newest! > last, "an event that comes has a greater seq");

      const [first] = await seqs(live, 1);
      const tail = await files.open(path, "watch", { tail: 3 });
      const resumed = await files.open(path, "watch", { after: newest! });
      for (let i = 0; i < 4; i++) await emit();
      same(await seqs(tail, 3), [...before.slice(-2), first], "a tail of 3");
      const coming = [first, ...await seqs(live, 4)];
      same(await seqs(resumed, 4), coming.slice(0, 4), "kept and coming events, resumed");
      same(await seqs(tail, 4), coming.slice(1), "events behind a tail");
      await Promise.all([live.close(), tail.close(), resumed.close()]);
    },
  },
  {
    id: "F32",
    name: "a_stream_can_be_read",
    says: "reading a stream gives what is kept, and ends",
    needs: ["stream"],
    async test(subject) {
      const { files } = subject;
      const { path, emit } = streamOf(subject);
      await emit();
      same((await files.stat(path)).kind, "stream", "kind of a stream file");
      const before = (await readBytes(files, path)).length;
      holds(before > 0, "what is kept");
      await emit();
      holds((await readBytes(files, path)).length > before, "what is kept now");
    },
  },
  {
    id: "F33",
    name: "a_gap_is_told",
    says:
      "a watcher who asks for events that are gone is first told which, as gap { seq, from, to }",
    needs: ["stream", "gap"],
    async test(subject) {
      const stream = streamOf(subject);
      const { emit, forget } = stream;
      holds(forget, "the subject lets events go");
      for (let i = 0; i < 4; i++) await emit();
      const last = await lastSeq(subject, stream);
      const all = (await upTo(subject, stream, last, { after: 0 })).filter(isNoGap).map(seqOf);
      const first = all[0]!;
      await forget();
      await forget();
      const [gap, ...rest] = await upTo(subject, stream, last, { after: first - 1 });
      const kept = rest.map(seqOf);
      holds(kept.length > 0 && kept.length <= all.length - 2, "events are gone, not all of them");
      same(kept, all.slice(-kept.length), "the events behind the gap");
      const to = kept[0]! - 1;
      same([gap?.type, gap?.from, gap?.to], ["gap", first, to], "the first event");
      same(gap?.seq, to, "the seq behind which a watch goes on after the gap");
      const behind = await upTo(subject, stream, last, { after: to });
      same(behind.map(seqOf), kept, "events behind a seq whose next is kept");
    },
  },
];
