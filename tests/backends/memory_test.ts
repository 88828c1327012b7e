import assert from "../assert.ts";
import { memoryBackend } from "../../src/backends/memory.ts";
import { seededRandom } from "../../src/backends/seeded_random.ts";

const ONE = new Uint8Array([1]);
const put = (key: string) => ({ check: [], remove: [], put: [{ key, value: ONE }] });

Deno.test("a memory backend is the same in every run", async () => {
  const [one, two] = [memoryBackend(), memoryBackend()];
  assert.equal(one.now(), two.now());
  assert.deepEqual(one.random(100), two.random(100));
  assert.notDeepEqual(one.random(16), one.random(16));
  await one.clock.advance(5);
  assert.equal(one.now(), two.now() + 5);
});

Deno.test("it takes the world that it is given", () => {
  const fired: (() => void)[] = [];
  const backend = memoryBackend({
    now: () => 7,
    random: (bytes) => new Uint8Array(bytes).fill(9),
    timer: (_, fire) => {
      fired.push(fire);
      return () => {};
    },
  });
  assert.equal(backend.now(), 7);
  assert.deepEqual(backend.random(2), new Uint8Array([9, 9]));
  backend.timer(1, () => {});
  assert.equal(fired.length, 1);
});

Deno.test("seeds tell their bytes apart", () => {
  assert.deepEqual(seededRandom("a")(32), seededRandom("a")(32));
  assert.notDeepEqual(seededRandom("a")(32), seededRandom("b")(32));
});

Deno.test("reopened, it has what was committed, not what waited, and nothing of what the old one does", async () => {
  const old = memoryBackend();
  await old.storage("a").commit(put("state"));
  const waiting = old.storage("a").commit(put("late"));
  const next = old.reopen();
  await waiting;
  await old.storage("b").commit(put("state"));
  assert.deepEqual(await next.owners({ limit: 9 }), ["a"]);
  assert.deepEqual((await next.storage("a").list({ prefix: "" })).map((r) => r.key), ["state"]);
  await next.drop("a");
  assert.equal((await old.storage("a").list({ prefix: "" })).length, 2);
});

Deno.test("rows answers copies of all rows", async () => {
  const backend = memoryBackend();
  await backend.storage("a").commit(put("state"));
  backend.rows().get("a")!.get("state")!.fill(0);
  backend.rows().clear();
  assert.deepEqual(backend.rows(), new Map([["a", new Map([["state", ONE]])]]));
});
