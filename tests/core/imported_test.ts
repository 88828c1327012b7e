/** Files whose checksum fits and whose rows nobody has written: refused, and nothing of them stays. */
import { createAgentd } from "../../src/agentd.ts";
import { memoryBackend } from "../../src/backends/memory.ts";
import { digest, encodeJson, encodeText } from "../../src/core/code.ts";
import { agentId } from "../../src/core/id.ts";
import { isOurs } from "../../src/core/imported.ts";
import { key } from "../../src/core/keys.ts";
import { numbered } from "../../src/core/numbered.ts";
import { FIRST_TURN } from "../../src/core/record.ts";
import { hasCode } from "../../src/fs/error.ts";
import { memorySigner } from "../../src/providers/signer/memory.ts";
import { deepEqual, equal, ok, rejects } from "../assert.ts";

const ID = agentId("bob");

async function world() {
  const backend = memoryBackend();
  const runtime = await createAgentd({ backend, signer: memorySigner() });
  return { backend, runtime };
}

/** The lines of a whole file, without the last. */
async function exported(): Promise<string[]> {
  const { runtime } = await world();
  await runtime.create({ id: ID, agent: "echo" });
  let text = "";
  for await (const chunk of await runtime.exportAgent(ID)) text += new TextDecoder().decode(chunk);
  return text.trimEnd().split("\n").slice(0, -1);
}

async function* fileOf(lines: readonly string[]): AsyncGenerator<Uint8Array> {
  const text = lines.map((line) => `${line}\n`).join("");
  yield encodeText(text);
  yield encodeText(JSON.stringify({ rows: lines.length - 1, sha256: digest(text) }) + "\n");
}

const FORGED: Readonly<Record<string, { k: string; v: unknown }>> = {
  "a file that is nothing": { k: key.file(["a"]), v: null },
  "a file that is a list": { k: key.file(["a"]), v: [1] },
  "a file in no directory": { k: "file/a", v: {} },
  "a file above": { k: "file//..", v: {} },
  "an event without a number": { k: "trajectory/first", v: { seq: 1, type: "tick" } },
  "counts that are none": { k: key.turn, v: { ...FIRST_TURN, trajectory: "9" } },
  "counts that are missing": { k: key.turn, v: { ticks: 1 } },
  "a phase that nobody knows": { k: key.phase, v: { phase: "undead", since: 1 } },
  "an alarm without a time": { k: "alarm/soon/x", v: {} },
};

Deno.test("an import of rows that no agent has is refused, leaves nothing, and the id is free", async () => {
  const lines = await exported();
  const { runtime, backend } = await world();
  for (const [what, row] of Object.entries(FORGED)) {
    const kept = lines.filter((line) => JSON.parse(line).k !== row.k);
    await rejects(
      runtime.importAgent(fileOf([...kept, JSON.stringify(row)]), { mode: "restore" }),
      (error) => hasCode(error, "invalid_request"),
      what,
    );
    deepEqual(await backend.owners({ limit: 10 }), ["@runtime"], what);
  }
  const deep = `{"k":"kv/a","v":${"[".repeat(100_000)}${"]".repeat(100_000)}}`;
  await rejects(
    runtime.importAgent(fileOf([...lines, deep]), { mode: "restore" }),
    (error) => hasCode(error, "invalid_request"),
  );
  equal((await runtime.importAgent(fileOf(lines), { mode: "restore" })).id, ID);
  await runtime.stop(0);
});

Deno.test("an import whose agent cannot be opened is undone", async () => {
  const lines = await exported();
  // It is a row of an object, and no envelope.
  const row = JSON.stringify({ k: key.inbox(1), v: { envelope: 5 } });
  const { runtime, backend } = await world();
  await rejects(
    runtime.importAgent(fileOf([...lines, row]), { mode: "restore" }),
    (error) => hasCode(error, "invalid_request"),
  );
  deepEqual(await backend.owners({ limit: 10 }), ["@runtime"]);
  equal((await runtime.importAgent(fileOf(lines), { mode: "restore" })).id, ID);
  await runtime.stop(0);
});

Deno.test("rows as the runtime writes them are ours", () => {
  const row = (key: string, value: unknown = {}) => ({ key, value: encodeJson(value) });
  const names = ["a", "ä b", "x!", "..~", "%41", "\u{1f512}", "a/".slice(0, 1)];
  for (const name of names) {
    for (
      const at of [
        key.file([name]),
        key.file(["dir", name]),
        key.folder(["one", name]),
        key.kv(name),
        key.goal(name),
        key.alarm(5, name),
        key.mark(name),
      ]
    ) ok(isOurs(row(at)), at);
  }
  for (const at of [key.inbox(1), key.reply("env:1", 2), key.retry(5, 1), key.blob("id", 0)]) {
    ok(isOurs(row(at)), at);
  }
  ok(isOurs(row(key.turn, FIRST_TURN)));
});

Deno.test("an event is numbered by its row, so that no reader goes in a circle", async () => {
  const storage = memoryBackend().storage("one");
  const stream = numbered({ storage, prefix: "outbox/", next: 4 });
  const put = [1, 2, 3].map((n) => ({
    key: key.outbox(n),
    value: encodeJson({ seq: 0, type: "event", n }),
  }));
  await storage.commit({ check: [], remove: [], put });
  const seen: unknown[] = [];
  const leave = new AbortController();
  for await (const event of stream.watch({ after: 0, signal: leave.signal })) {
    seen.push([event.seq, event.n]);
    if (seen.length === 3) break;
  }
  deepEqual(seen, [[1, 1], [2, 2], [3, 3]]);
});
