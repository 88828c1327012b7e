import assert from "../assert.ts";
import { manualClock } from "../../src/backends/manual_clock.ts";
import { memoryBackend } from "../../src/backends/memory.ts";
import { encodeText } from "../../src/core/code.ts";
import { makeDue } from "../../src/core/due.ts";
import { key } from "../../src/core/keys.ts";

const DAY_MS = 86_400_000;

/** A due of alarms alone; whoever is told takes its rows away, unless it is busy. */
function alarms(start = 0) {
  const clock = manualClock(start, async () => {
    for (let turns = 0; turns < 5_000; turns++) await Promise.resolve();
  });
  const backend = memoryBackend({ now: clock.now, timer: clock.timer });
  const fired: string[] = [];
  const errors: unknown[] = [];
  const busy = new Set<string>();
  let finds = 0;
  let broken = false;
  const due = makeDue(
    {
      now: clock.now,
      timer: clock.timer,
      find(query) {
        finds++;
        return broken ? Promise.reject(new Error("no find")) : backend.find(query);
      },
    },
    {
      "alarm/": async (owner, now) => {
        if (busy.has(owner)) throw new Error(`${owner} is busy`);
        const storage = backend.storage(owner);
        const rows = (await storage.list({ prefix: "alarm/" }))
          .filter((row) => Number(row.key.split("/")[1]) <= now);
        for (const row of rows) fired.push(`${owner} ${row.key.split("/")[2]} at ${now}`);
        await storage.commit({ check: [], remove: rows.map((row) => row.key), put: [] });
      },
    },
    (error) => errors.push(error),
  );
  return {
    clock,
    due,
    fired,
    errors,
    busy,
    finds: () => finds,
    set: (value: boolean) => broken = value,
    async put(owner: string, ms: number, id = "x") {
      const put = [{ key: key.alarm(ms, id), value: encodeText("{}") }];
      await backend.storage(owner).commit({ check: [], remove: [], put });
    },
  };
}

Deno.test("what is due fires at its time, whoever noted it last, and what was there at the start as well", async () => {
  const { clock, due, fired, put } = alarms();
  await put("one", 500);
  await due.start();
  await put("two", 900);
  due.note(900);
  await put("three", 300);
  due.note(300);
  await clock.advance(299);
  assert.deepEqual(fired, []);
  await clock.advance(1_000);
  assert.deepEqual(fired, ["three x at 300", "one x at 500", "two x at 900"]);
});

Deno.test("what is further away than a timer can be set fires at its time", async () => {
  const { clock, due, fired, put, finds } = alarms();
  await put("one", 100 * DAY_MS);
  await due.start();
  await clock.advance(100 * DAY_MS - 1);
  assert.deepEqual(fired, []);
  await clock.advance(1);
  assert.deepEqual(fired, [`one x at ${100 * DAY_MS}`]);
  assert.ok(finds() < 1_000, `${finds()} looks in a hundred days`);
});

Deno.test("one that cannot be taken is told, tried again, and does not hold up the others", async () => {
  const { clock, due, fired, errors, busy, put, finds } = alarms();
  busy.add("one");
  await put("one", 100);
  await put("two", 100);
  await due.start();
  await clock.advance(100);
  assert.deepEqual(fired, ["two x at 100"]);
  const before = finds();
  await clock.advance(10_000);
  assert.ok(errors.length >= 5, "it is tried again");
  assert.ok(finds() - before < 100, `${finds() - before} looks in ten seconds: not in circles`);
  busy.clear();
  await clock.advance(2_000);
  assert.equal(fired.length, 2);
});

Deno.test("a storage that cannot be asked is asked again", async () => {
  const { clock, due, fired, errors, set, put } = alarms();
  await due.start();
  await put("one", 100);
  due.note(100);
  set(true);
  await clock.advance(5_000);
  assert.ok(errors.length > 0);
  set(false);
  await clock.advance(5_000);
  assert.equal(fired.length, 1);
});

Deno.test("many owners with many that are due at once all fire", async () => {
  const { clock, due, fired, put } = alarms();
  for (let n = 0; n < 500; n++) await put(`a${n}`, 100 + n % 3, `${n}`);
  await due.start();
  await clock.advance(200);
  assert.equal(new Set(fired).size, 500);
});

Deno.test("after a stop nothing fires", async () => {
  const { clock, due, fired, put } = alarms();
  await put("one", 100);
  await due.start();
  due.stop();
  due.note(50);
  await clock.advance(1_000);
  assert.deepEqual(fired, []);
  assert.equal(clock.waiting(), 0);
});
