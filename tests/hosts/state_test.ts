/** What may be an agent's state, and that a refusal names the place. */
import { z } from "zod";
import assert from "../assert.ts";
import type { StandardSchema } from "../../src/core/agent.ts";
import { loadState, sealState } from "../../src/hosts/state.ts";

const LIMIT = 10_000;
const seal = (state: unknown, schema?: StandardSchema) => sealState(state, schema, LIMIT);

Deno.test("plain JSON is kept, field for field", async () => {
  const state = { a: [1, -0.5, "ü\ud800", null, true, [], {}], b: { c: { "d e": 1 } } };
  assert.equal(await seal(state), JSON.stringify(state));
  assert.equal(await seal(Object.assign(Object.create(null), { x: 1 })), '{"x":1}');
  assert.equal(await seal({ gone: undefined, kept: 1 }), '{"kept":1}');
  const shared = { n: 1 };
  assert.equal(await seal({ a: shared, b: shared }), '{"a":{"n":1},"b":{"n":1}}');
});

const cyclic: { items: unknown[] } = { items: [] };
cyclic.items.push({ back: cyclic });
let deep: unknown = {};
for (let i = 0; i < 10_000; i++) deep = { d: deep };
class Point {
  x = 1;
}

const REFUSED: Record<string, [unknown, RegExp]> = {
  "a date": [{ items: [0, { when: new Date(0) }] }, /state\.items\[1\]\.when is a Date; keep its/],
  "a function": [{ f: () => 1 }, /state\.f is a function/],
  "a function named toJSON": [{ toJSON: () => 1 }, /state\.toJSON is a function/],
  "undefined in an array": [{ a: [1, undefined] }, /state\.a\[1\] is undefined/],
  // deno-lint-ignore no-sparse-arrays -- the hole is what is refused
  "a hole in an array": [{ a: [1, , 2] }, /state\.a\[1\] is a hole/],
  "NaN": [{ a: { n: NaN } }, /state\.a\.n is NaN/],
  "infinity": [{ n: -Infinity }, /state\.n is -Infinity/],
  "a bigint": [{ n: 1n }, /state\.n is a bigint/],
  "a map": [{ m: new Map() }, /state\.m is a Map; keep Object\.fromEntries/],
  "a set": [{ m: new Set() }, /state\.m is a Set/],
  "bytes": [{ m: new Uint8Array(3) }, /state\.m is an? Uint8Array/],
  "an instance of a class": [{ p: new Point() }, /state\.p is a Point/],
  "a symbol": [{ s: Symbol("x") }, /state\.s is a symbol/],
  "a field named by a symbol": [{ o: { [Symbol("x")]: 1 } }, /state\.o has a field.*Symbol\(x\)/],
  "a promise": [{ p: Promise.resolve() }, /state\.p is a Promise/],
  "a cycle": [cyclic, /refers back/],
  "what is too deep": [{ deep }, /levels deep/],
  "a name that is no identifier": [{ "a b": [{ "": NaN }] }, /state\["a b"\]\[0\]\[""\] is NaN/],
  "no object: undefined": [undefined, /state is undefined; a state is an object/],
  "no object: an array": [[], /state is an array; a state is an object/],
  "no object: null": [null, /state is null; a state is an object/],
};
for (const [what, [state, message]] of Object.entries(REFUSED)) {
  Deno.test(`refused: ${what}`, async () => {
    await assert.rejects(seal(state), { name: "FileError", code: "agent_error", message });
  });
}

Deno.test("a state that is too large is refused with its size and the limit, also when it shares what is large", async () => {
  const over = { s: "ü".repeat(LIMIT / 2) };
  await assert.rejects(seal(over), {
    code: "agent_error",
    message: /it is 10008 bytes, and max_state_bytes is 10000/,
    extra: { limit: LIMIT },
  });
  assert.equal((await seal({ s: "x".repeat(LIMIT - 8) })).length, LIMIT);
  let bomb: unknown = "boom";
  for (let i = 0; i < 100; i++) bomb = [bomb, bomb];
  await assert.rejects(seal({ bomb }), { code: "agent_error", message: /more than 10000 bytes/ });
});

Deno.test("names of Object.prototype are just names", async () => {
  const json = '{"__proto__":{"polluted":1},"constructor":1,"hasOwnProperty":2,"toString":null}';
  const state = await loadState(json, undefined);
  assert.equal((state as Record<string, unknown>).polluted, undefined);
  assert.equal(await seal(state), json);
  assert.equal(({} as Record<string, unknown>).polluted, undefined);
});

Deno.test("a schema gives a new agent its defaults, and an old one its new fields", async () => {
  const schema = z.object({ count: z.number().default(0), name: z.string().default("x") });
  assert.deepEqual(await loadState(undefined, schema), { count: 0, name: "x" });
  assert.deepEqual(await loadState('{"count":3}', schema), { count: 3, name: "x" });
  assert.deepEqual(await loadState(undefined, undefined), {});
});

Deno.test("a schema without defaults says what a new agent lacks", async () => {
  await assert.rejects(loadState(undefined, z.object({ count: z.number() })), {
    code: "agent_error",
    message: /state\.count: .*give its fields defaults/,
  });
});

Deno.test("a schema's issue is told with its path", async () => {
  const schema = z.object({ items: z.array(z.object({ n: z.number() })) });
  await assert.rejects(seal({ items: [{ n: 1 }, { n: "2" }] }, schema), {
    code: "agent_error",
    message: /state\.items\[1\]\.n: /,
  });
  await assert.rejects(loadState('{"items":3}', schema), {
    code: "agent_error",
    message: /state\.items: /,
  });
});

Deno.test("what the schema makes of the state is what is kept, and must be plain too", async () => {
  assert.equal(await seal({ a: 1, b: 2 }, z.object({ a: z.number() })), '{"a":1}');
  const dates = z.object({ when: z.coerce.date() });
  await assert.rejects(seal({ when: 0 }, dates), {
    code: "agent_error",
    message: /state\.when is a Date/,
  });
});

Deno.test("a validator of another maker, which answers later and names paths by key objects", async () => {
  const schema: StandardSchema<{ n: number }> = {
    "~standard": {
      version: 1,
      vendor: "test",
      async validate(value) {
        await Promise.resolve();
        const { n } = value as { n?: unknown };
        if (typeof n === "number") return { value: { n: n + 1 } };
        return { issues: [{ message: "no number", path: [{ key: "list" }, { key: 2 }, "n"] }] };
      },
    },
  };
  assert.equal(await seal({ n: 1 }, schema), '{"n":2}');
  await assert.rejects(seal({}, schema), { message: /state\.list\[2\]\.n: no number/ });
});

Deno.test("a stored state that is no JSON object is corrupt, not a new one", async () => {
  for (const json of ["", "{", "[]", "null", "7"]) {
    await assert.rejects(loadState(json, undefined), { code: "corrupt" });
  }
});
