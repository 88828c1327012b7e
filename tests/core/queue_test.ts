import fc from "fast-check";
import assert from "../assert.ts";
import type { EnvelopeId } from "../../src/core/id.ts";
import { makeQueue, type Waiting } from "../../src/core/queue.ts";

function waiting(n: number, sender: string, front = false): Waiting {
  return {
    n,
    id: `e${n}` as EnvelopeId,
    sender,
    front,
    bytes: 1,
    at: 0,
    expires: undefined,
    envelope: undefined,
    tries: undefined,
    gone: false,
  };
}

type Act =
  | { readonly act: "add"; readonly sender: string; readonly front: boolean }
  | { readonly act: "take" | "hold" | "release" | "drop" | "undo" };

const acts: fc.Arbitrary<Act[]> = fc.array(
  fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({
        act: fc.constant("add" as const),
        sender: fc.constantFrom("a", "b", "c"),
        front: fc.boolean(),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        act: fc.constantFrom(
          "take" as const,
          "hold" as const,
          "release" as const,
          "drop" as const,
          "undo" as const,
        ),
      }),
    },
  ),
  { maxLength: 60 },
);

Deno.test("the queue is what a naive line is: who waits for a retry holds back its own, fronts go first, numbers order the rest", () => {
  fc.assert(
    fc.property(acts, (acts) => {
      const queue = makeQueue();
      let model: Waiting[] = [];
      const held = new Map<string, Waiting>();
      let last: Waiting | undefined;
      let n = 0;
      const free = () => model.filter((w) => !held.has(w.sender));
      for (const act of acts) {
        const next = queue.next();
        switch (act.act) {
          case "add": {
            // Whoever ticks by hand is a sender of its own.
            const entry = waiting(++n, act.front ? `manual ${act.sender}` : act.sender, act.front);
            queue.add(entry);
            model.push(entry);
            break;
          }
          case "take":
            if (!next) break;
            queue.remove(next);
            model = model.filter((w) => w !== next);
            break;
          case "hold":
            if (!next) break;
            queue.hold(next);
            held.set(next.sender, next);
            break;
          case "release": {
            const [entry] = held.values();
            if (!entry) break;
            queue.release(entry);
            held.delete(entry.sender);
            break;
          }
          case "drop": {
            const oldest = model[0];
            if (!oldest) break;
            queue.remove(oldest);
            model = model.slice(1);
            if (held.get(oldest.sender) === oldest) held.delete(oldest.sender);
            last = oldest;
            break;
          }
          case "undo":
            if (!last || model.some(({ n }) => n < last!.n)) break;
            queue.putBack(last);
            model = [last, ...model];
            last = undefined;
        }
        const fronts = free().filter(({ front }) => front);
        const want = fronts.length > 0 ? fronts : free();
        const got = queue.next();
        assert.equal(queue.ready, want.length > 0);
        assert.equal(queue.size, model.length);
        assert.deepEqual([...queue.all()].map(({ n }) => n), model.map(({ n }) => n));
        assert.equal(got === undefined, want.length === 0);
        if (!got) continue;
        assert.equal(got.front, fronts.length > 0);
        if (!got.front) assert.equal(got, want[0], "the lowest number");
        assert.equal(got, free().find((w) => w.sender === got.sender), "the sender's first");
        assert.equal(queue.get(got.n), got);
      }
    }),
    { numRuns: 300 },
  );
});

Deno.test("a long line is taken from its head without becoming slower", () => {
  const queue = makeQueue();
  const count = 50_000;
  for (let n = 1; n <= count; n++) queue.add(waiting(n, `s${n % 7}`));
  for (let n = 1; n <= count; n++) {
    const next = queue.next()!;
    assert.equal(next.n, n);
    queue.remove(next);
  }
  assert.equal(queue.size, 0);
  assert.equal(queue.ready, false);
});
