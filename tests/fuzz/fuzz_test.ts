/** A sample of every target's inputs, and the fuzzer itself: what it finds, and how short it tells it. */
import assert from "../assert.ts";
import { drawsOf } from "./chance.ts";
import { BLOCK, fuzz } from "./fuzz.ts";
import { brokenBytes, brokenJson, brokenText } from "./mutate.ts";
import { shortest } from "./shorten.ts";
import type { Target } from "./target.ts";
import { targetNames, targetOf } from "./targets.ts";

/** Inputs where a target does not say. */
const SAMPLE = 3_000;

for (const name of targetNames()) {
  const target = await targetOf(name);
  Deno.test(`fuzz ${name}: ${target.about}`, async () => {
    await fuzz(target, { name, seed: 1, count: target.sample ?? SAMPLE });
  });
}

/** Cannot read what has both of these letters. */
const weak: Target<string> = {
  about: "it is weak",
  make: (chance) => brokenText(chance, "a valid input"),
  begin: () => ({
    try(text) {
      if (text.includes("v") && text.includes("\0")) throw new Error("it broke");
    },
  }),
};

/** Breaks when it has seen two of something, whatever comes between. */
const tired: Target<number> = {
  about: "it remembers",
  make: (chance) => chance.below(50),
  begin() {
    let seen = 0;
    return {
      try(n) {
        if (n === 7 && ++seen === 2) throw new Error("not again");
      },
    };
  },
};

Deno.test("what a target cannot take is found, and told by its line and the shortest input", async () => {
  await assert.rejects(fuzz(weak, { name: "weak", seed: 5, count: 20_000 }), (error: Error) => {
    assert.match(error.message, /^deno task fuzz --target weak --seed \d+ --count \d+\n {2}"/);
    const [, shown] = error.message.split("\n");
    assert.equal(JSON.parse(shown!.trim()).length, 2, shown);
    return true;
  });
});

Deno.test("the line that is told repeats the failure, also of what fails only behind others", async () => {
  const failing = fuzz(tired, { name: "tired", seed: 3, count: 1_000 });
  const first: Error = await failing.then(() => assert.fail("it holds"), (error) => error);
  assert.match(first.message, /\n {2}7\n {2}7\n/);
  const [, seed, count] = /--seed (\d+) --count (\d+)/.exec(first.message)!.map(Number);
  const plan = { name: "tired", seed: seed!, count: count! };
  await fuzz(tired, { ...plan, count: plan.count - 1 });
  const head = (error: Error) => error.message.split("\n").slice(0, 4);
  await assert.rejects(fuzz(tired, plan), (again: Error) => {
    assert.deepEqual(head(again), head(first));
    return true;
  });
});

Deno.test("each seed is another block of inputs, and the same one whenever it is run", async () => {
  const seen: number[] = [];
  const recorded: Target<number> = {
    about: "it is told",
    make: (chance) => chance.below(1e9),
    begin: () => ({ try: (n) => void seen.push(n) }),
  };
  await fuzz(recorded, { name: "recorded", seed: 1, count: 2 * BLOCK });
  await fuzz(recorded, { name: "recorded", seed: 2, count: BLOCK });
  assert.deepEqual(seen.slice(BLOCK, 2 * BLOCK), seen.slice(2 * BLOCK));
  assert.equal(new Set(seen).size, 2 * BLOCK);
});

Deno.test("what is valid is broken in many ways, and what is JSON stays JSON", () => {
  const chance = drawsOf(9);
  const texts = new Set(Array.from({ length: 1_000 }, () => brokenText(chance, "one two")));
  assert.ok(texts.size > 700);
  const bytes = new Set(
    Array.from({ length: 1_000 }, () => brokenBytes(chance, new Uint8Array(9)).toHex()),
  );
  assert.ok(bytes.size > 500);
  for (let n = 0; n < 1_000; n++) {
    const value = brokenJson(chance, { a: [1, { b: "x" }], c: null });
    assert.doesNotThrow(() => JSON.stringify(value));
  }
});

Deno.test("an input is made as short as it can be", async () => {
  const input = { name: "x".repeat(40), list: [1, 2, 3, 4], bytes: new Uint8Array(30).fill(9) };
  const best = await shortest(
    input,
    ({ name, list, bytes }) =>
      Promise.resolve(name.length >= 3 && list.includes(3) && bytes.length >= 2),
  );
  assert.deepEqual(best, { name: "aaa", list: [3], bytes: new Uint8Array([9, 9]) });
});
