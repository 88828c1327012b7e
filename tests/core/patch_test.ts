import { applyPatch, type Operation } from "rfc6902";
import { patchOf } from "../../src/core/patch.ts";
import { deepEqual, equal, ok } from "../assert.ts";
import { chanceOf } from "../sim/chance.ts";

function applied(before: unknown, patch: readonly Operation[]): unknown {
  const place = { value: structuredClone(before) };
  const inPlace = patch.map((one) => ({ ...one, path: `/value${one.path}` })) as Operation[];
  deepEqual(applyPatch(place, structuredClone(inPlace)).filter(Boolean), []);
  return place.value;
}

function leads(before: unknown, after: unknown): Operation[] {
  const patch = patchOf(before, after);
  deepEqual(applied(before, patch), after);
  return patch;
}

const numbers = (length: number, first = 0) => Array.from({ length }, (_, i) => (first + i) % 97);
const messages = (count: number, first = 0) =>
  Array.from({ length: count }, (_, i) => ({ role: "user", content: `message ${first + i}` }));

Deno.test("what little changes in a long list is told in a few words", () => {
  const long = messages(400);
  const cases: [string, unknown[], unknown[], number][] = [
    ["nothing", long, messages(400), 0],
    ["nothing, of items that are alike", [0, 0, 0, 0], [0, 0, 0, 0], 0],
    ["one more that is like all others", Array(50).fill("x"), Array(51).fill("x"), 1],
    ["one more at the end", long, messages(401), 1],
    ["one more at the beginning", messages(400, 1), messages(401), 1],
    ["the first gone", long, messages(399, 1), 1],
    ["a window that moves by one", long, messages(400, 1), 2],
    ["by ten", long, messages(400, 10), 20],
    ["one in the middle gone", long, long.toSpliced(200, 1), 1],
    ["one in the middle more", long, long.toSpliced(200, 0, { role: "user", content: "new" }), 1],
    ["a field of one", long, long.with(7, { role: "user", content: "other" }), 1],
    ["the last gone", long, messages(399), 1],
  ];
  for (const [what, before, after, count] of cases) {
    equal(leads({ list: before }, { list: after }).length, count, what);
  }
});

Deno.test("lists of any length are compared: other ones are told anew, and no stack is too short for them", () => {
  for (const length of [3_000, 30_000, 300_000]) {
    equal(leads({ list: numbers(length) }, { list: numbers(length, 1) }).length, 2);
    equal(leads({ list: numbers(length) }, { list: numbers(length, 80) }).length, 1);
    equal(leads(numbers(length), []).length, 1);
    equal(leads([], numbers(length)).length, 1);
  }
  const deep = (depth: number, leaf: unknown): unknown =>
    depth === 0 ? leaf : [deep(depth - 1, leaf)];
  ok(leads(deep(250, 1), deep(250, 2)).length > 0);
});

Deno.test("whatever two values are, the patch leads from the one to the other", () => {
  const chance = chanceOf(1);
  const names = ["a", "b", "c/d", "e~f", "", "0", "-", "length"];
  function value(depth: number): unknown {
    const kind = chance.below(depth > 0 ? 7 : 4);
    if (kind === 0) return null;
    if (kind === 1) return chance.below(3);
    if (kind === 2) return chance.below(2) === 0;
    if (kind === 3) return chance.pick(names);
    if (kind < 6) return Array.from({ length: chance.below(6) }, () => value(depth - 1));
    return Object.fromEntries(
      Array.from({ length: chance.below(5) }, () => [chance.pick(names), value(depth - 1)]),
    );
  }
  for (let n = 0; n < 5_000; n++) leads(value(3), value(3));
});
