import assert from "../assert.ts";
import { feed, MAX_UNREAD } from "../../src/fs/feed.ts";

Deno.test("every listener gets every event from its listen on", async () => {
  const news = feed();
  const { signal } = new AbortController();
  const one = news.listen(signal);
  news.tell({ type: "a" });
  const two = news.listen(signal);
  news.tell({ type: "b" });
  assert.deepEqual((await one.next()).value, { type: "a" });
  assert.deepEqual((await one.next()).value, { type: "b" });
  assert.deepEqual((await two.next()).value, { type: "b" });
});

Deno.test("a listener who does not read costs a bounded queue, and is told what was lost", async () => {
  const news = feed();
  const slow = news.listen(new AbortController().signal);
  for (let n = 1; n <= MAX_UNREAD * 2 + 3; n++) news.tell({ type: "e", n });
  assert.deepEqual((await slow.next()).value, { type: "gap", missed: MAX_UNREAD * 2 });
  assert.deepEqual((await slow.next()).value, { type: "e", n: MAX_UNREAD * 2 + 1 });
  assert.deepEqual((await slow.next()).value, { type: "e", n: MAX_UNREAD * 2 + 2 });
  assert.deepEqual((await slow.next()).value, { type: "e", n: MAX_UNREAD * 2 + 3 });
});

Deno.test("abort and return end a listener, one that waits too, and let go of it", async () => {
  const news = feed();
  const abort = new AbortController();
  const waiting = news.listen(abort.signal).next();
  const left = news.listen(abort.signal);
  assert.equal(news.listeners, 2);
  await left.return!();
  assert.equal(news.listeners, 1);
  assert.equal((await left.next()).done, true);
  abort.abort();
  assert.equal((await waiting).done, true);
  assert.equal(news.listeners, 0);
  assert.equal((await news.listen(abort.signal).next()).done, true);
  assert.equal(news.listeners, 0);
});
