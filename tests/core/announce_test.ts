import assert from "../assert.ts";
import { announcer, MAX_BEHIND } from "../../src/core/announce.ts";

Deno.test("each listener gets all that is told from its call on, in its own time", async () => {
  const told = announcer<number>();
  const leave = new AbortController();
  told.tell(0);
  const first = told.listen(leave.signal);
  told.tell(1);
  const second = told.listen(leave.signal);
  told.tell(2);
  assert.equal(told.listeners, 2);
  assert.deepEqual([(await first.next()).value, (await first.next()).value], [1, 2]);
  const coming = first.next();
  told.tell(3);
  assert.equal((await coming).value, 3);
  assert.equal((await second.next()).value, 2);
  leave.abort();
  assert.equal(told.listeners, 0);
  assert.equal((await second.next()).value, 3, "what it was told before it left");
  assert.equal((await second.next()).done, true);
  assert.equal((await first.next()).done, true);
});

Deno.test("a listener that leaves too much unread is let go with an error, and holds up nobody", async () => {
  const told = announcer<number>();
  const { signal } = new AbortController();
  const slow = told.listen(signal);
  const quick = told.listen(signal);
  for (let n = 0; n <= MAX_BEHIND; n++) {
    told.tell(n);
    await quick.next();
  }
  assert.equal(told.listeners, 1);
  for (let n = 0; n < MAX_BEHIND; n++) assert.equal((await slow.next()).value, n);
  await assert.rejects(slow.next(), { code: "rate_limited" });
  assert.equal((await slow.next()).done, true);
  await quick.return?.();
  assert.equal(told.listeners, 0);
});

Deno.test("who listens with an aborted signal hears nothing, and an end ends all", async () => {
  const told = announcer<number>();
  assert.equal((await told.listen(AbortSignal.abort()).next()).done, true);
  const one = told.listen(new AbortController().signal);
  const waiting = one.next();
  told.end();
  assert.equal((await waiting).done, true);
  assert.equal(told.listeners, 0);
});
