/** Chance by seed: the published generator, the same everywhere, no correlation between neighbours. */
import assert from "../assert.ts";
import type { EnvelopeId } from "../../src/core/id.ts";
import { seededRandom as generator } from "../../src/hosts/random.ts";
import { seedOf } from "../../src/hosts/seed.ts";
import { makeRun } from "./port.ts";

function seededRandom(id: string) {
  const tick = { ...makeRun().tick, envelope_id: id as EnvelopeId };
  return generator(seedOf(makeRun({ tick })));
}

Deno.test("the same seed gives the same row", () => {
  const a = seededRandom("env_1"), b = seededRandom("env_1");
  for (let i = 0; i < 100; i++) assert.equal(a.random(), b.random());
  for (let i = 0; i < 100; i++) assert.equal(a.uuid(), b.uuid());
});

Deno.test("the row is fixed for good: what was drawn before an update is drawn again after it", () => {
  const { random, uuid } = seededRandom("env_1");
  // Computed by another implementation of the generator, from its definition.
  assert.deepEqual([random(), random()], [0.37273996031356116, 0.23508804119655424]);
  assert.equal(uuid(), "5c89a686-a14c-4119-b532-ea0e32afc6b4");
});

Deno.test("seeds that differ in one character give different rows", () => {
  const rows = new Set(Array.from({ length: 1000 }, (_, i) => seededRandom(`env_${i}`).random()));
  assert.equal(rows.size, 1000);
});

Deno.test("numbers are in [0, 1) and evenly spread", () => {
  const { random } = seededRandom("spread");
  const buckets = new Array<number>(10).fill(0);
  for (let i = 0; i < 100_000; i++) {
    const n = random();
    assert.ok(n >= 0 && n < 1);
    buckets[Math.floor(n * 10)]!++;
  }
  // Six standard deviations around 10,000 in a tenth.
  for (const count of buckets) assert.ok(Math.abs(count - 10_000) < 570, `${count}`);
});

Deno.test("UUIDs are version 4 and do not repeat", () => {
  const { uuid } = seededRandom("uuids");
  const all = new Set<string>();
  for (let i = 0; i < 10_000; i++) {
    const id = uuid();
    assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    all.add(id);
  }
  assert.equal(all.size, 10_000);
});
