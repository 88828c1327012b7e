import assert from "../assert.ts";
import { ownerCache } from "../../src/backends/owner_cache.ts";

const KIB = 1024;

Deno.test("what nobody asks for is forgotten, what is asked for stays", () => {
  const cache = ownerCache(64 * KIB);
  cache.keep(cache.learn("asked", 1), "state", new Uint8Array(KIB));
  cache.learn("idle", 2);
  for (let n = 0; n < 500; n++) {
    cache.keep(cache.learn(`agent-${n}`, 10 + n), "state", new Uint8Array(KIB));
    assert.equal(cache.get("asked")?.hot.get("state")?.byteLength, KIB);
  }
  assert.equal(cache.get("idle"), undefined);
  assert.equal(cache.get("agent-0"), undefined);
});

Deno.test("the cache is bounded, however the rows are spread over owners", () => {
  const generation = 256 * KIB;
  for (const owners of [1, 3, 1000]) {
    const cache = ownerCache(generation);
    for (let n = 0; n < 5000; n++) {
      const name = `agent-${n % owners}`;
      const known = cache.get(name) ?? cache.learn(name, n % owners);
      cache.keep(known, `inbox/${n}`, new Uint8Array(KIB));
    }
    let bytes = 0;
    for (let n = 0; n < owners; n++) {
      for (const value of cache.get(`agent-${n}`)?.hot.values() ?? []) {
        bytes += value.buffer.byteLength;
      }
    }
    // Two generations and the rows of the owner that stands on the border.
    assert.ok(bytes <= 2 * generation + 1024 * KIB, `${owners} owners: ${bytes} bytes`);
  }
});

Deno.test("a small value does not keep a large array alive", () => {
  const cache = ownerCache();
  const known = cache.learn("a", 1);
  const large = new Uint8Array(KIB * KIB);
  cache.keep(known, "state", large.subarray(0, 100));
  assert.equal(known.hot.get("state")?.buffer.byteLength, 100);
});

Deno.test("a value too large to keep takes the one before it along", () => {
  const cache = ownerCache();
  const known = cache.learn("a", 1);
  cache.keep(known, "state", new Uint8Array(1));
  cache.keep(known, "state", new Uint8Array(100 * KIB));
  assert.equal(known.hot.get("state"), undefined);
});
