import fc from "fast-check";
import assert from "../assert.ts";
import { manualClock } from "../../src/backends/manual_clock.ts";
import { memoryBackend } from "../../src/backends/memory.ts";
import type { StreamEvent } from "../../src/fs/file.ts";
import type { AgentStorage } from "../../src/core/storage.ts";
import { openTrace, type Trace, TRACE_DELAY_MS } from "../../src/core/trace.ts";

interface Place {
  readonly clock: ReturnType<typeof manualClock>;
  readonly storage: AgentStorage;
  readonly errors: unknown[];
  fails: boolean;
  commits: number;
  open(hint?: number, retention?: number): Promise<Trace>;
}

function place(): Place {
  const clock = manualClock(1_000);
  const rows = memoryBackend().storage("one");
  const here: Place = {
    clock,
    errors: [],
    fails: false,
    commits: 0,
    storage: {
      ...rows,
      async commit(batch) {
        here.commits++;
        if (here.fails) throw new Error("full");
        await rows.commit(batch);
      },
    },
    open: (hint = 1, retention = 10_000) =>
      openTrace({
        storage: here.storage,
        now: clock.now,
        timer: clock.timer,
        hint,
        retention: () => retention,
        onError: (error) => here.errors.push(error),
      }),
  };
  return here;
}

const event = (n: number) => ({ type: "log" as const, text: `${n}` });
const numbers = (events: readonly StreamEvent[]) => events.map(({ seq }) => seq);
const upTo = (n: number) => Array.from({ length: n }, (_, i) => i + 1);

/** Everything that a watcher is told, as it comes. */
function watched(trace: Trace, after?: number) {
  const seen: StreamEvent[] = [];
  const leave = new AbortController();
  const done = (async () => {
    const options = { signal: leave.signal, ...(after === undefined ? {} : { after }) };
    for await (const event of trace.watch(options)) seen.push(event);
  })();
  return { seen, leave: () => leave.abort(), done };
}

async function turns(count: number): Promise<void> {
  for (let n = 0; n < count; n++) await Promise.resolve();
}

Deno.test("events that come together share a commit; nobody waits longer than the delay", async () => {
  const here = place();
  const trace = await here.open();
  for (let n = 1; n <= 150; n++) trace.add(event(n));
  assert.equal(here.commits, 0);
  await here.clock.advance(TRACE_DELAY_MS);
  assert.equal(here.commits, 1);
  assert.equal(trace.pending, false);
  assert.deepEqual(numbers(await trace.read({})), upTo(150));
  assert.ok((await here.storage.list({ prefix: "trace/" })).length <= 3);
});

Deno.test("a reader gets what was added before it asked", async () => {
  const here = place();
  const trace = await here.open();
  for (let n = 1; n <= 5; n++) {
    trace.add(event(n));
    assert.deepEqual(numbers(await trace.read({ after: n - 1 })), [n]);
    assert.deepEqual(numbers(await trace.tail(2)), n === 1 ? [1] : [n - 1, n]);
  }
});

Deno.test("whatever is added while it is written, read and watched: a watcher is told of each event once and in order", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.constantFrom("add", "wait", "read", "watch", "time"), fc.nat(40)), {
        maxLength: 40,
      }),
      async (acts) => {
        const here = place();
        const trace = await here.open();
        const watchers: { from: number; watcher: ReturnType<typeof watched> }[] = [];
        let added = 0;
        for (const [act, n] of acts) {
          if (act === "add") { for (let i = 0; i <= n; i++) trace.add(event(++added)); }
          if (act === "wait") await turns(n);
          if (act === "read") {
            assert.deepEqual(numbers(await trace.read({ after: 0 })), upTo(added));
          }
          if (act === "time") await here.clock.advance(n);
          if (act === "watch") {
            const after = n % 2 ? Math.min(n, added) : undefined;
            watchers.push({ from: after ?? added, watcher: watched(trace, after) });
          }
        }
        // One that has just begun has not asked for anything yet.
        await turns(200);
        await trace.flush();
        await turns(3_000);
        for (const { from, watcher } of watchers) {
          assert.deepEqual(numbers(watcher.seen), upTo(added).slice(from));
          watcher.leave();
          await watcher.done;
        }
      },
    ),
    { numRuns: 60 },
  );
});

Deno.test("a trace that is opened again goes on with its numbers, however old the hint is", async () => {
  const here = place();
  let trace = await here.open();
  for (let n = 1; n <= 300; n++) trace.add(event(n));
  await trace.flush();
  trace.end();
  for (const hint of [1, 250, 301]) {
    trace = await here.open(hint);
    assert.equal(trace.nextSeq, 301);
    trace.end();
  }
  trace = await here.open(400);
  trace.add(event(400));
  const events = await trace.read({ after: 300 });
  assert.deepEqual(events.map(({ type, seq }) => [type, seq]), [["gap", 399], ["log", 400]]);
  assert.deepEqual([events[0]!.from, events[0]!.to], [301, 399]);
});

Deno.test("what cannot be written is kept and written later; what has to go is told as a gap", async () => {
  const here = place();
  const trace = await here.open();
  here.fails = true;
  for (let n = 1; n <= 10; n++) trace.add(event(n));
  await here.clock.advance(200);
  assert.ok(here.errors.length > 0);
  const watcher = watched(trace, 0);
  await turns(100);
  assert.deepEqual(watcher.seen, [], "nothing is told that does not stand");
  here.fails = false;
  await here.clock.advance(200);
  await turns(1_000);
  assert.deepEqual(numbers(watcher.seen), upTo(10));
  here.fails = true;
  for (let n = 11; n <= 7_000; n++) trace.add(event(n));
  await here.clock.advance(200);
  here.fails = false;
  await here.clock.advance(1_000);
  const [gap, ...rest] = await trace.read({ after: 10 });
  assert.equal(gap!.type, "gap");
  assert.deepEqual([gap!.from, gap!.to], [11, rest[0]!.seq - 1]);
  assert.deepEqual(numbers(rest), upTo(7_000).slice(rest[0]!.seq - 1));
  watcher.leave();
  await watcher.done;
});

Deno.test("the oldest go when there are more than are to be kept, a batch at a time", async () => {
  const here = place();
  const trace = await here.open(1, 100);
  for (let n = 1; n <= 3_000; n++) {
    trace.add(event(n));
    if (n % 20 === 0) await trace.flush();
  }
  const [gap, ...kept] = await trace.read({ after: 0 });
  assert.equal(gap!.type, "gap");
  assert.ok(kept.length >= 100 && kept.length < 500, `${kept.length} are kept`);
  assert.deepEqual(numbers(kept), upTo(3_000).slice(kept[0]!.seq - 1));
});

Deno.test("after its end nothing is written any more", async () => {
  const here = place();
  const trace = await here.open();
  trace.add(event(1));
  const watcher = watched(trace);
  await turns(20);
  trace.end();
  trace.add(event(2));
  await watcher.done;
  const before = here.commits;
  await here.clock.advance(10_000);
  assert.equal(here.commits, before);
  assert.equal(here.clock.waiting(), 0);
});
