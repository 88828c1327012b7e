/** An agent leaves as one file and goes on elsewhere: nothing lost, nothing repeated, no key in it unless asked for. */
import { createAgentd } from "../../src/agentd.ts";
import { type MemoryBackend, memoryBackend } from "../../src/backends/memory.ts";
import type { Agent } from "../../src/core/agent.ts";
import { agentId } from "../../src/core/id.ts";
import type { Runtime } from "../../src/core/runtime.ts";
import { memorySigner } from "../../src/providers/signer/memory.ts";
import { callJson, readJson, readText, writeText } from "../../src/fs/use.ts";
import { hasCode } from "../../src/fs/error.ts";
import { deepEqual, equal, match, notEqual, ok, rejects } from "../assert.ts";
import type { Receipt } from "../../src/core/view.ts";
import type { SigningService } from "../../src/core/provider.ts";

const ID = agentId("pilgrim");
const NEVER = new AbortController().signal;
const operator = { viewer: "operator", name: "operator" } as const;

/** Remembers what it was told, in every kind of row. */
const pilgrim: Agent = {
  name: "pilgrim",
  async onTrigger(ctx, trigger) {
    if (trigger.type !== "message") return;
    if (trigger.text === "fail") throw new Error("as told");
    ctx.state.heard = [...(ctx.state.heard ?? []), trigger.text];
    await ctx.kv.set("last", trigger.text);
    await ctx.env.write("/files/notes/log.txt", trigger.text.repeat(100_000));
    await ctx.markSeen(trigger.text);
    if (trigger.text === "alarm") await ctx.alarm(3_600_000, { ring: true });
    await ctx.reply(`${ctx.state.heard.length}`);
  },
};

interface Place {
  readonly backend: MemoryBackend;
  readonly signer: SigningService;
  readonly runtime: Runtime;
}

async function place(): Promise<Place> {
  const backend = memoryBackend();
  const signer = memorySigner();
  const runtime = await createAgentd({ backend, signer, agents: { pilgrim } });
  return { backend, signer, runtime };
}

async function send({ runtime }: Place, text: string, id?: string): Promise<Receipt> {
  const files = await runtime.files(ID, operator);
  const payload = { kind: "text", text };
  return await callJson<Receipt>(files, "/inbox", { payload, ...(id ? { id } : {}) });
}

async function tick(at: Place, text: string, id?: string): Promise<string> {
  const { envelope_id } = await send(at, text, id);
  const done = await at.runtime.wait(ID, envelope_id, NEVER);
  return (done!.replies[0] as { text: string }).text;
}

async function exported(at: Place, passphrase?: string): Promise<Uint8Array[]> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of await at.runtime.exportAgent(ID, passphrase)) chunks.push(chunk);
  return chunks;
}

async function* streamOf(chunks: readonly Uint8Array[], size = 1000): AsyncGenerator<Uint8Array> {
  const all = await new Blob(chunks as unknown as BlobPart[]).bytes();
  for (let at = 0; at < all.length; at += size) yield all.slice(at, at + size);
}

async function traveller(): Promise<Place> {
  const home = await place();
  await home.runtime.create({ id: ID, agent: "pilgrim", goals: ["arrive"] });
  equal(await tick(home, "one", "first"), "1");
  equal(await tick(home, "alarm"), "2");
  return home;
}

Deno.test("test_export_import_roundtrip", async () => {
  const home = await traveller();
  const files = await home.runtime.files(ID, operator);
  await callJson(files, "/ctl", "pause").catch(() => writeText(files, "/ctl", "pause"));
  await send(home, "waiting", "second");
  const file = await exported(home);
  await home.runtime.stop(1000);

  const away = await place();
  const info = await away.runtime.importAgent(streamOf(file), { mode: "restore" });
  equal(info.state, "paused");
  equal(info.queue_depth, 1);
  const there = await away.runtime.files(ID, operator);
  deepEqual(await readJson(there, "/state"), { heard: ["one", "alarm"] });
  equal(await readText(there, "/kv/last"), '"alarm"');
  equal(await readText(there, "/files/notes/log.txt"), "alarm".repeat(100_000));
  equal(
    (await readJson<{ description: string }>(there, "/goals/goal-1.json")).description,
    "arrive",
  );
  ok(info.next_alarm);
  equal((await send(away, "one", "first")).duplicate, true, "what was taken is not taken again");
  equal((await send(away, "waiting", "second")).duplicate, true, "what waits is not doubled");
  await writeText(there, "/ctl", "resume");
  const done = await away.runtime.wait(ID, "second" as never, NEVER);
  deepEqual(done!.replies, [{ kind: "text", text: "3" }]);
  deepEqual(await readJson(there, "/state"), { heard: ["one", "alarm", "waiting"] });
  match(await readText(there, "/logs/trajectory"), /"first"/);
  await away.runtime.stop(1000);
});

Deno.test("a clone has a key, a birth and a queue of its own, and the memory", async () => {
  const home = await traveller();
  const original = await home.runtime.info(ID);
  const file = await exported(home);
  const clone = await home.runtime.importAgent(streamOf(file), {
    mode: "clone",
    id: agentId("second"),
  });
  notEqual(clone.pubkey, original.pubkey);
  const files = await home.runtime.files(agentId("second"), operator);
  deepEqual(await readJson(files, "/state"), { heard: ["one", "alarm"] });
  const receipt = await callJson<Receipt>(files, "/inbox", { id: "first", payload: "new here" });
  equal(receipt.duplicate, false);
  const done = await home.runtime.wait(agentId("second"), receipt.envelope_id, NEVER);
  deepEqual(done!.replies, [{ kind: "text", text: "3" }]);
  equal(await tick(home, "apart"), "3");
  await home.runtime.stop(1000);
});

/** Chunks that no other row of the owner names. */
async function orphans({ backend }: Place, owner: string): Promise<string[]> {
  const rows = await backend.storage(owner).list({ prefix: "" });
  const [blobs, others] = [true, false].map((isBlob) =>
    rows.filter(({ key }) => key.startsWith("blob/") === isBlob)
  );
  const told = others!.map(({ value }) => new TextDecoder().decode(value)).join("\n");
  ok(blobs!.length > 0, "there are large values");
  return blobs!.map(({ key }) => key).filter((key) => !told.includes(key.split("/")[1]!));
}

Deno.test("the chunks of what a clone does not take over are not taken over either", async () => {
  const home = await traveller();
  const files = await home.runtime.files(ID, operator);
  await writeText(files, "/ctl", "pause");
  await send(home, "x".repeat(700_000));
  const file = await exported(home);
  const large = (await new Blob(file as BlobPart[]).text()).match(/^\{"k":"blob\//gm)!.length;
  const clone = agentId("second");
  await home.runtime.importAgent(streamOf(file), { mode: "clone", id: clone });
  deepEqual(await orphans(home, clone), []);
  const kept = await home.backend.storage(clone).list({ prefix: "blob/" });
  equal(large - kept.length, 3, "the chunks of the message that waits");
  deepEqual(await home.backend.storage(clone).list({ prefix: "draft/" }), []);
  const there = await home.runtime.files(clone, operator);
  equal(await readText(there, "/files/notes/log.txt"), "alarm".repeat(100_000));
  await home.runtime.stop(1000);

  const away = await place();
  await away.runtime.importAgent(streamOf(file), { mode: "restore" });
  deepEqual(await orphans(away, ID), []);
  equal((await away.backend.storage(ID).list({ prefix: "blob/" })).length, large);
  await away.runtime.stop(1000);
});

Deno.test("a file that somebody is writing does not go along", async () => {
  const home = await traveller();
  const files = await home.runtime.files(ID, operator);
  const writing = await files.open("/files/half", "write");
  await writing.write(new Uint8Array(600_000).fill(1));
  equal((await home.backend.storage(ID).list({ prefix: "draft/" })).length, 1);
  const file = await exported(home);
  const away = await place();
  await away.runtime.importAgent(streamOf(file), { mode: "restore" });
  deepEqual(await orphans(away, ID), []);
  await writing.write(new Uint8Array(10).fill(1));
  await writing.close();
  equal((await files.stat("/files/half")).size, 600_010, "its writer goes on");
  await home.runtime.stop(1000);
  await away.runtime.stop(1000);
});

Deno.test("a private key leaves only under a passphrase, and comes back with it", async () => {
  const home = await traveller();
  const { pubkey } = await home.runtime.info(ID);
  const bare = await new Blob(await exported(home) as BlobPart[]).text();
  ok(!bare.includes("ncryptsec"));
  const file = await exported(home, "correct horse");
  const away = await place();
  await rejects(
    away.runtime.importAgent(streamOf(file), { mode: "restore" }),
    (error) => hasCode(error, "invalid_request"),
  );
  await rejects(
    away.runtime.importAgent(streamOf(file), { mode: "restore", passphrase: "battery" }),
    (error) => hasCode(error, "invalid_request"),
  );
  deepEqual(
    await away.backend.owners({ limit: 10 }),
    ["@runtime"],
    "a failed import leaves nothing",
  );
  const info = await away.runtime.importAgent(streamOf(file), {
    mode: "restore",
    passphrase: "correct horse",
  });
  equal(info.pubkey, pubkey);
  await home.runtime.stop(1000);
  await away.runtime.stop(1000);
});

Deno.test("a damaged, cut, foreign or newer file is refused and leaves nothing", async () => {
  const home = await traveller();
  const text = await new Blob(await exported(home) as BlobPart[]).text();
  const lines = text.split("\n");
  const broken: Record<string, [string, string]> = {
    empty: ["", "invalid_request"],
    foreign: ["hello\n", "invalid_request"],
    cut: [lines.slice(0, -2).join("\n") + "\n", "invalid_request"],
    "cut in a line": [text.slice(0, text.length / 2), "invalid_request"],
    "a row less": [lines.toSpliced(3, 1).join("\n"), "invalid_request"],
    changed: [text.replace('"heard"', '"heart"'), "invalid_request"],
    newer: [text.replace('"version":1', '"version":2'), "not_supported"],
    "a key of no kind": [
      lines.toSpliced(3, 0, '{"k":"@registry","v":1}').join("\n"),
      "invalid_request",
    ],
  };
  const away = await place();
  for (const [name, [bad, code]] of Object.entries(broken)) {
    await rejects(
      away.runtime.importAgent(streamOf([new TextEncoder().encode(bad)]), { mode: "restore" }),
      (error) => hasCode(error, code as never),
      name,
    );
    deepEqual(await away.backend.owners({ limit: 10 }), ["@runtime"], name);
  }
  await rejects(
    home.runtime.importAgent(streamOf([new TextEncoder().encode(text)]), { mode: "restore" }),
    (error) => hasCode(error, "already_exists"),
  );
  equal(await tick(home, "still here"), "3");
  await home.runtime.stop(1000);
  await away.runtime.stop(1000);
});

Deno.test("who stops reading an export lets the agent go on", async () => {
  const home = await traveller();
  for await (const _ of await home.runtime.exportAgent(ID)) break;
  equal(await tick(home, "after"), "3");
  await home.runtime.stop(1000);
});
