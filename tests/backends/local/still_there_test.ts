/** A data directory that is moved, removed or replaced under its owner: nothing more is stored, and all goes on when it is back. */
import assert from "../../assert.ts";
import { openLocal } from "../../../src/backends/local/sqlite.ts";
import { inTempDir } from "./temp_dir.ts";

const put = (text: string) => ({
  check: [],
  remove: [],
  put: [{ key: "state", value: new TextEncoder().encode(text) }],
});

async function state(dir: string): Promise<string> {
  const backend = await openLocal(dir);
  const value = await backend.storage("a").get("state");
  await backend.close();
  return new TextDecoder().decode(value);
}

Deno.test("where a database is no longer what its path names, commits are refused until it is again", () =>
  inTempDir(async (parent) => {
    const [dir, away] = [`${parent}/data`, `${parent}/away`];
    const backend = await openLocal(dir);
    const storage = backend.storage("a");
    await storage.commit(put("one"));
    await Deno.rename(dir, away);
    const refused = { code: "io", message: /moved or removed .*put it back/ };
    await assert.rejects(() => storage.commit(put("lost")), refused);
    await assert.rejects(() => backend.storage("b").commit(put("lost")), refused);
    // Somebody else's stands there now.
    const other = await openLocal(dir);
    await other.storage("a").commit(put("theirs"));
    await assert.rejects(() => storage.commit(put("lost")), refused);
    await other.close();
    assert.equal(await state(dir), "theirs");
    await Deno.remove(dir, { recursive: true });
    await Deno.rename(away, dir);
    await storage.commit(put("two"));
    await backend.close();
    assert.equal(await state(dir), "two");
  }));

Deno.test("a removed data directory is told of at each commit", () =>
  inTempDir(async (parent) => {
    const dir = `${parent}/data`;
    const backend = await openLocal(dir);
    await backend.storage("a").commit(put("one"));
    await Deno.remove(dir, { recursive: true });
    for (const text of ["two", "three"]) {
      await assert.rejects(() => backend.storage("a").commit(put(text)), { code: "io" });
    }
    assert.equal(
      new TextDecoder().decode(await backend.storage("a").get("state")),
      "one",
      "what was committed can be read as long as it is open",
    );
    await backend.close().catch(() => {});
  }));
