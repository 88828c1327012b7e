import assert from "../../assert.ts";
import { needs } from "../../needs.ts";
import { openLocal } from "../../../src/backends/local/sqlite.ts";
import { key } from "../../../src/core/keys.ts";
import { filesOf, inTempDir } from "./temp_dir.ts";

/** Why no small disk can be mounted here. */
function missing(): string | undefined {
  if (Deno.build.os !== "linux") return "a small disk is mounted on Linux only";
  return Deno.uid() === 0 ? undefined : "mounting a small disk takes root";
}

async function run(...command: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(command[0]!, { args: command.slice(1) })
    .output();
  assert.ok(success, `${command.join(" ")}: ${new TextDecoder().decode(stderr)}`);
}

/** A disk of its own in memory. */
async function onDisk(mib: number, use: (dir: string) => Promise<void>): Promise<void> {
  await inTempDir(async (dir) => {
    await run("mount", "-t", "tmpfs", "-o", `size=${mib}m`, "tmpfs", dir);
    try {
      await use(dir);
    } finally {
      await run("umount", "--lazy", dir);
    }
  });
}

/** Takes what is left, to the last byte. */
async function fill(path: string): Promise<void> {
  using file = await Deno.open(path, { write: true, create: true, append: true });
  for (const bytes of [65_536, 4096, 1]) {
    const piece = new Uint8Array(bytes);
    try {
      for (;;) if (await file.write(piece) < bytes) break;
    } catch (error) {
      assert.match(String(error), /No space left/);
    }
  }
}

const put = (k: string, bytes: number) => ({
  check: [],
  remove: [],
  put: [{ key: k, value: new Uint8Array(bytes).fill(7) }],
});

const test = needs(missing());

test("on a full disk commits are refused, nothing is lost, and work goes on when there is space again", () =>
  onDisk(16, async (disk) => {
    const dir = `${disk}/data`;
    const backend = await openLocal(dir);
    const storage = backend.storage("a");
    await fill(`${disk}/filler`);
    const stored: string[] = [];
    let refused: Error & { code?: string } | undefined;
    for (let n = 0; !refused && n < 1000; n++) {
      const k = key.blob("x", n);
      await storage.commit(put(k, 100_000)).then(() => stored.push(k), (error) => refused = error);
    }
    assert.equal(refused?.code, "quota_exceeded");
    assert.match(refused!.message, /data\/agentd\.db.*disk is full.*free some space/);
    // Several at once, of several owners: all are refused, and none shows.
    const together = await Promise.allSettled(
      ["a", "b", "c"].map((owner) => backend.storage(owner).commit(put("state", 500_000))),
    );
    assert.deepEqual(together.map((s) => s.status), Array(3).fill("rejected"));
    assert.deepEqual((await storage.list({ prefix: "" })).map((row) => row.key), stored);
    assert.deepEqual(await backend.owners({ limit: 9 }), stored.length > 0 ? ["a"] : []);

    await Deno.remove(`${disk}/filler`);
    await storage.commit(put("state", 500_000));
    await backend.storage("b").commit(put("state", 500_000));
    await backend.close();
    const again = await openLocal(dir);
    const keys = (await again.storage("a").list({ prefix: "" })).map((row) => row.key);
    assert.deepEqual(keys, [...stored, "state"]);
    assert.deepEqual(await again.owners({ limit: 9 }), ["a", "b"]);
    await again.close();
  }));

test("a full disk is told when a directory is made, opened or backed up", () =>
  onDisk(16, async (disk) => {
    const backend = await openLocal(`${disk}/data`);
    await backend.storage("a").commit(put("state", 1_000_000));
    await fill(`${disk}/filler`);
    await assert.rejects(() => backend.backup(`${disk}/copy.db`), { code: "quota_exceeded" });
    assert.deepEqual(Object.keys(await filesOf(disk)), ["filler"]);
    await assert.rejects(() => openLocal(`${disk}/new`), { code: "quota_exceeded" });
    await backend.close();
    await fill(`${disk}/filler`);
    await assert.rejects(() => openLocal(`${disk}/data`), { code: "quota_exceeded" });
    await Deno.remove(`${disk}/filler`);
    const again = await openLocal(`${disk}/data`);
    assert.equal((await again.storage("a").get("state"))?.length, 1_000_000);
    await again.close();
    await (await openLocal(`${disk}/new`)).close();
  }));

test("a directory that may not be written is refused and left as it is", () =>
  onDisk(16, async (disk) => {
    const backend = await openLocal(disk);
    await backend.storage("a").commit(put("state", 10));
    await backend.close();
    await run("mount", "-o", "remount,ro", disk);
    const before = await filesOf(disk);
    await assert.rejects(() => openLocal(disk), (error: Error & { code?: string }) => {
      assert.equal(error.code, "permission_denied", error.message);
      assert.match(error.message, /may not write/);
      assert.ok(error.message.includes(disk), error.message);
      return true;
    });
    await assert.rejects(() => openLocal(`${disk}/new`), { code: "permission_denied" });
    assert.deepEqual(await filesOf(disk), before);
  }));
