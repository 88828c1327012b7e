import assert from "../assert.ts";
import { keyedAnnouncer } from "../../src/core/keyed.ts";

interface Told {
  readonly of: string;
  readonly n: number;
}
const made = () => keyedAnnouncer<Told>(({ of }) => of);

Deno.test("who listens to a key hears what is told of it, in order, and nothing else", async () => {
  const told = made();
  told.tell({ of: "a", n: 0 });
  const [a, b] = [told.listenTo("a"), told.listenTo("b")];
  const first = a.next();
  for (const n of [1, 2, 3]) told.tell({ of: "a", n });
  told.tell({ of: "b", n: 4 });
  assert.equal((await first)?.n, 1);
  assert.equal((await a.next())?.n, 2);
  assert.deepEqual(a.rest(), [{ of: "a", n: 3 }]);
  assert.deepEqual(a.rest(), []);
  assert.deepEqual(b.rest(), [{ of: "b", n: 4 }]);
});

Deno.test("who ends is told nothing more, not counted, and nobody else's end", async () => {
  const told = made();
  const [one, other] = [told.listenTo("a"), told.listenTo("a")];
  assert.equal(told.listeners, 2);
  const waits = one.next();
  one.end();
  one.end();
  assert.equal(await waits, undefined);
  assert.equal(told.listeners, 1);
  told.tell({ of: "a", n: 1 });
  assert.equal(await one.next(), undefined);
  assert.equal((await other.next())?.n, 1);
  const last = other.next();
  told.end();
  assert.equal(await last, undefined);
  assert.equal(told.listeners, 0);
});

Deno.test("who listens to all hears all", async () => {
  const told = made();
  const abort = new AbortController();
  const all = told.listen(abort.signal);
  assert.equal(told.listeners, 1);
  told.tell({ of: "a", n: 1 });
  told.tell({ of: "b", n: 2 });
  assert.deepEqual([(await all.next()).value, (await all.next()).value], [
    { of: "a", n: 1 },
    { of: "b", n: 2 },
  ]);
  told.end();
  assert.equal((await all.next()).done, true);
});
