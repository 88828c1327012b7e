import assert from "../assert.ts";
import { manualClock } from "../../src/backends/manual_clock.ts";

Deno.test("timers fire in the order of their times, then of their calls, each at its time", async () => {
  const clock = manualClock(1000);
  const fired: string[] = [];
  const note = (name: string) => () => fired.push(`${name}@${clock.now()}`);
  clock.timer(20, note("c"));
  clock.timer(10, note("a"));
  clock.timer(10, note("b"));
  clock.timer(31, note("late"));
  clock.timer(-5, note("past"));
  await clock.advance(30);
  assert.deepEqual(fired, ["past@1000", "a@1010", "b@1010", "c@1020"]);
  assert.equal(clock.now(), 1030);
  assert.equal(clock.waiting(), 1);
  await clock.advance(1);
  assert.equal(fired.at(-1), "late@1031");
});

Deno.test("a timer that is set while time advances fires in the same advance if it is due", async () => {
  const clock = manualClock();
  const at: number[] = [];
  function again(): void {
    at.push(clock.now());
    clock.timer(10, again);
  }
  clock.timer(10, again);
  await clock.advance(35);
  assert.deepEqual(at, [10, 20, 30]);
});

Deno.test("promises settle between timers", async () => {
  const clock = manualClock();
  const order: string[] = [];
  clock.timer(1, async () => {
    for (let i = 0; i < 20; i++) await Promise.resolve();
    order.push("what the first began");
  });
  clock.timer(2, () => order.push("the second"));
  await clock.advance(5);
  assert.deepEqual(order, ["what the first began", "the second"]);
});

Deno.test("a cancelled timer does not fire, and cancelling again is no error", async () => {
  const clock = manualClock();
  let fired = 0;
  const cancel = clock.timer(1, () => fired++);
  const other = clock.timer(1, () => cancelLater());
  const cancelLater = clock.timer(2, () => fired++);
  cancel();
  cancel();
  await clock.advance(5);
  other();
  assert.equal(fired, 0);
  assert.equal(clock.waiting(), 0);
});
