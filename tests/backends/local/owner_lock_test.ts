import assert from "../../assert.ts";
import { lockOwner } from "../../../src/backends/local/owner_lock.ts";
import { openLocal } from "../../../src/backends/local/sqlite.ts";
import { key } from "../../../src/core/keys.ts";
import { inTempDir } from "./temp_dir.ts";

const HOLDER = new URL("./holder.ts", import.meta.url).pathname;

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, undefined> {
  let rest = "";
  for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
}

/** Another process, with these rights, that owns the directory; `line` is the next one it says. */
function hold(dir: string, rows: number, rights: string[] = ["-A"]) {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-prompt", "--no-check", ...rights, HOLDER, dir, String(rows)],
    stdout: "piped",
    stderr: "piped",
    stdin: "null",
  }).spawn();
  const lines = linesOf(child.stdout);
  return {
    pid: child.pid,
    async line(): Promise<string | undefined> {
      return (await lines.next()).value;
    },
    async kill(): Promise<void> {
      child.kill("SIGKILL");
      await child.status;
      await lines.return(undefined);
      await child.stderr.cancel();
    },
    /** What it said last of all, when it ends by itself. */
    async failure(): Promise<string> {
      const stderr = await new Response(child.stderr).text();
      await child.status;
      while (await this.line() !== undefined);
      return stderr;
    },
  };
}

Deno.test("one process cannot open a directory twice", () =>
  inTempDir(async (dir) => {
    const first = await openLocal(dir);
    await assert.rejects(() => openLocal(dir), (error: Error & { code?: string }) => {
      assert.equal(error.code, "conflict");
      assert.match(error.message, new RegExp(`process ${Deno.pid} on .*, since \\d{4}-`));
      return true;
    });
    // The one refused has not taken anything from the first.
    await first.storage("a").commit({ check: [], remove: [], put: [] });
    await assert.rejects(() => openLocal(dir), { code: "conflict" });
    await first.close();
    await (await openLocal(dir)).close();
  }));

Deno.test("a second process is refused, told who holds the directory; killed, the holder loses it and nothing else", () =>
  inTempDir(async (dir) => {
    const holder = hold(dir, 400);
    assert.equal(await holder.line(), "open");
    await assert.rejects(() => openLocal(dir), (error: Error & { code?: string }) => {
      assert.equal(error.code, "conflict");
      assert.ok(error.message.includes(`process ${holder.pid} on `), error.message);
      return true;
    });
    let acknowledged = 0;
    while (acknowledged < 50) acknowledged = Number(await holder.line());
    await holder.kill();

    const backend = await openLocal(dir);
    const storage = backend.storage("a");
    const inbox = (await storage.list({ prefix: "inbox/" })).map((row) => row.key);
    assert.ok(inbox.length >= acknowledged, `${acknowledged} acknowledged, ${inbox.length} found`);
    // Whole batches, in order, without a gap.
    assert.deepEqual(inbox, inbox.map((_, n) => key.inbox(n + 1)));
    assert.equal((await storage.list({ prefix: "kv/" })).length, inbox.length);
    const state = await storage.get("state");
    assert.equal(new TextDecoder().decode(state), String(inbox.length));
    await backend.close();
  }));

Deno.test("the rights to the directory alone are enough, and without them it says so", () =>
  inTempDir(async (dir) => {
    const rights = [`--allow-read=${dir}`, `--allow-write=${dir}`];
    const holder = hold(dir, 1, rights);
    assert.equal(await holder.line(), "open");
    assert.equal(await holder.line(), "1");
    await holder.kill();
    const refused = hold(dir, 1, [`--allow-read=${dir}`]);
    assert.match(await refused.failure(), /permission_denied \(Deno was not given/);
  }));

/** Starts one subprocess after the other, in a thread of its own, until it is ended. */
const SPAWNING = `for (;;) {
  await Promise.all(Array.from({ length: 4 }, () => new Deno.Command("true").output()));
  postMessage("round");
}`;

Deno.test("what is given up can be taken at once, also while subprocesses are being started", () =>
  inTempDir(async (dir) => {
    const url = "data:application/javascript," + encodeURIComponent(SPAWNING);
    const spawner = new Worker(url, { type: "module" });
    try {
      await new Promise((begun) => spawner.onmessage = begun);
      for (let round = 0; round < 1000; round++) (await lockOwner(dir, 0)).release();
    } finally {
      spawner.terminate();
    }
  }));
