import fc from "fast-check";
import assert from "../assert.ts";
import { memoryBackend } from "../../src/backends/memory.ts";
import type { StreamEvent } from "../../src/fs/file.ts";
import { type Numbered, numbered } from "../../src/core/numbered.ts";

function place(next = 1) {
  const storage = memoryBackend().storage("one");
  const stream = numbered({ storage, prefix: "outbox/", next });
  /** A tick: events, their commit or none, and what is told after it. */
  async function tick(count: number, commits: boolean, turns = 0): Promise<void> {
    const first = stream.nextSeq;
    const events = Array.from({ length: count }, (_, i) => stream.add({ type: "event", i }));
    for (let n = 0; n < turns; n++) await Promise.resolve();
    if (!commits) return void (stream.nextSeq = first);
    await storage.commit({ check: [], remove: [], put: events.map((event) => stream.row(event)) });
    for (let n = 0; n < turns; n++) await Promise.resolve();
    for (const event of events) stream.announce(event);
  }
  return { storage, stream, tick };
}

const numbers = (events: readonly StreamEvent[]) => events.map(({ seq }) => seq);
const upTo = (n: number) => Array.from({ length: n }, (_, i) => i + 1);

function watched(stream: Numbered, options: { after?: number; tail?: number }) {
  const seen: StreamEvent[] = [];
  const leave = new AbortController();
  const done = (async () => {
    for await (const event of stream.watch({ ...options, signal: leave.signal })) seen.push(event);
  })();
  return { seen, leave: () => leave.abort(), done };
}

async function turns(count: number): Promise<void> {
  for (let n = 0; n < count; n++) await Promise.resolve();
}

Deno.test("watchers of events are told of what commits, each once and in order, and of nothing else", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({
          count: fc.nat(4),
          commits: fc.boolean(),
          turns: fc.nat(12),
          watch: fc.option(fc.nat(20)),
          pause: fc.nat(30),
        }),
        { maxLength: 25 },
      ),
      async (ticks) => {
        const { stream, tick } = place();
        const watchers: { from: number; watcher: ReturnType<typeof watched> }[] = [];
        let last = 0;
        for (const each of ticks) {
          if (each.watch !== null) {
            const after = Math.min(each.watch, last);
            watchers.push({ from: after, watcher: watched(stream, { after }) });
          }
          await turns(each.pause);
          await tick(each.count, each.commits, each.turns);
          if (each.commits) last += each.count;
        }
        await turns(500);
        assert.deepEqual(numbers(await stream.read({ after: 0 })), upTo(last));
        for (const { from, watcher } of watchers) {
          assert.deepEqual(numbers(watcher.seen), upTo(last).slice(from));
          watcher.leave();
          await watcher.done;
        }
      },
    ),
    { numRuns: 100 },
  );
});

Deno.test("while events are on their way to a commit nobody is told of a gap", async () => {
  const { storage, stream, tick } = place();
  await tick(3, true);
  const events = [1, 2].map(() => stream.add({ type: "event" }));
  assert.deepEqual(numbers(await stream.read({ after: 3 })), []);
  const watcher = watched(stream, { after: 3 });
  await turns(50);
  assert.deepEqual(watcher.seen, []);
  await storage.commit({ check: [], remove: [], put: events.map((event) => stream.row(event)) });
  for (const event of events) stream.announce(event);
  await turns(50);
  assert.deepEqual(numbers(watcher.seen), [4, 5]);
  watcher.leave();
  await watcher.done;
});

Deno.test("a number is given again when its event was taken back, unless a later one was given", () => {
  const { stream } = place();
  const first = stream.add({ type: "event" });
  stream.takeBack(first);
  const again = stream.add({ type: "event" });
  assert.equal(again.seq, first.seq);
  const later = stream.add({ type: "event" });
  stream.takeBack(again);
  assert.equal(stream.nextSeq, later.seq + 1);
});

Deno.test("a tail is the last that are kept, and a watch with one goes on behind it", async () => {
  const { stream, tick } = place();
  await tick(10, true);
  assert.deepEqual(numbers(await stream.tail(3)), [8, 9, 10]);
  assert.deepEqual(await stream.tail(0), []);
  const watcher = watched(stream, { tail: 2 });
  const fromNow = watched(stream, {});
  await turns(50);
  await tick(2, true);
  await turns(50);
  assert.deepEqual(numbers(watcher.seen), [9, 10, 11, 12]);
  assert.deepEqual(numbers(fromNow.seen), [11, 12]);
  for (const each of [watcher, fromNow]) {
    each.leave();
    await each.done;
  }
});

Deno.test("pruning keeps at least what is to be kept, and rows that go with an event go with it", async () => {
  const storage = memoryBackend().storage("one");
  const stream = numbered({
    storage,
    prefix: "outbox/",
    next: 1,
    along: (event) => [`reply/${event.seq}`],
  });
  for (let n = 1; n <= 1_000; n++) {
    const event = stream.add({ type: "event" });
    const reply = { key: `reply/${event.seq}`, value: new Uint8Array() };
    await storage.commit({ check: [], remove: [], put: [stream.row(event), reply] });
    stream.announce(event);
    await stream.prune(100);
  }
  const [gap, ...kept] = await stream.read({ after: 0 });
  assert.deepEqual([gap!.type, gap!.from, gap!.to], ["gap", 1, kept[0]!.seq - 1]);
  assert.ok(kept.length >= 100 && kept.length < 300, `${kept.length} are kept`);
  const replies = await storage.list({ prefix: "reply/" });
  assert.equal(replies.length, kept.length);
  const opened = numbered({ storage, prefix: "outbox/", next: 1_001 });
  await opened.prune(10);
  for (let n = 0; n < 20; n++) await opened.prune(10);
  assert.ok((await opened.read({})).length < 100, "a smaller retention is reached step by step");
});
