/** Power cuts: a runtime is recorded as it works, the power goes at moments of the recording, and what is found afterwards is opened, checked and gone on with. */
import { DatabaseSync } from "node:sqlite";
import { createAgentd } from "../../src/agentd.ts";
import { openLocal } from "../../src/backends/local/sqlite.ts";
import { agentId, type EnvelopeId } from "../../src/core/id.ts";
import { key } from "../../src/core/keys.ts";
import type { Receipt } from "../../src/core/view.ts";
import { callJson, readJson } from "../../src/fs/use.ts";
import { memorySigner } from "../../src/providers/signer/memory.ts";
import { chanceOf } from "../sim/chance.ts";
import { type Image, makeDisk, type Way, WAYS } from "./disk.ts";
import { CALLS, MAX_STRING_BYTES, type Op, readRecording } from "./recording.ts";

const RECORDER = "strace";
const ID = agentId("bob");
const NEVER = new AbortController().signal;

/** Why nothing can be recorded here; undefined if it can. */
export const MISSING_RECORDER = await missing();

async function missing(): Promise<string | undefined> {
  if (Deno.build.os !== "linux") return "system calls are recorded on Linux alone";
  try {
    const args = ["-o", "/dev/null", "-e", "trace=none", "true"];
    const { success } = await new Deno.Command(RECORDER, { args, stderr: "null" }).output();
    return success ? undefined : `${RECORDER} may not trace here`;
  } catch {
    return `there is no ${RECORDER}`;
  }
}

/** Runs the writer for so many messages, and answers what it did to its files and said. */
export async function record(messages: number, seed: number): Promise<Op[]> {
  const place = await Deno.realPath(await Deno.makeTempDir({ prefix: "agentd-powercut-" }));
  try {
    const [dir, text] = [`${place}/data`, `${place}/calls`];
    const writer = new URL("./writer.ts", import.meta.url).pathname;
    const program = [Deno.execPath(), "run", "-A", writer, dir, String(messages), String(seed)];
    const how = ["-f", "-y", "-xx", "-s", String(MAX_STRING_BYTES), "-e", "signal=none"];
    const { success, stderr } = await new Deno.Command(RECORDER, {
      args: [...how, "-e", `trace=${CALLS.join(",")}`, "-o", text, ...program],
    }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    return readRecording(await Deno.readTextFile(text), dir);
  } finally {
    await Deno.remove(place, { recursive: true });
  }
}

export interface Cuts {
  readonly images: number;
  readonly by: Readonly<Record<Way, number>>;
  /** Images that are like one that was tried already are not tried again. */
  readonly alike: number;
  /** What was said in all of them, and found. */
  readonly acknowledged: number;
  readonly faults: readonly string[];
}

/** Cuts the power at `count` moments, evenly over the recording, each in another way. `onImage` is told how many have been tried. */
export async function cutPower(
  ops: readonly Op[],
  count: number,
  seed: number,
  onImage: (tried: number) => void = () => {},
): Promise<Cuts> {
  const chance = chanceOf(seed);
  const disk = makeDisk();
  const by = Object.fromEntries(WAYS.map((way) => [way, 0])) as Record<Way, number>;
  const faults: string[] = [];
  const seen = new Set<string>();
  let images = 0, alike = 0, acknowledged = 0;
  for (const [n, op] of ops.entries()) {
    disk.take(op);
    const due = Math.floor((n + 1) * count / ops.length);
    while (images + alike < due) {
      const way = WAYS[(images + alike) % WAYS.length]!;
      const image = disk.image(way, chance);
      const digest = await digestOf(image, disk.said.length);
      if (seen.has(digest)) {
        alike++;
        continue;
      }
      seen.add(digest);
      images++;
      by[way]++;
      acknowledged += disk.said.length;
      const fault = await faultIn(image, disk.said);
      if (fault) faults.push(`after call ${n} of ${ops.length}, unflushed writes ${way}: ${fault}`);
      onImage(images);
    }
  }
  return { images, by, alike, acknowledged, faults };
}

async function digestOf(image: Image, said: number): Promise<string> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  for (const [name, bytes] of image) {
    parts.push(new TextEncoder().encode(`${name} ${bytes.length}\n`), new Uint8Array(bytes));
  }
  const all = await new Blob([...parts, String(said)]).arrayBuffer();
  return new Uint8Array(await crypto.subtle.digest("SHA-256", all)).toHex();
}

/** Opens what was found, goes on with it, and looks for all that was said. Undefined: all is well. */
export async function faultIn(image: Image, said: readonly string[]): Promise<string | undefined> {
  const dir = await Deno.makeTempDir({ prefix: "agentd-powercut-" });
  try {
    for (const [name, bytes] of image) {
      await Deno.writeFile(`${dir}/${name}`, bytes, { mode: 0o600 });
    }
    await goneOnWith(dir, said);
    // And once more: what was found must also be left as it should be.
    await (await openLocal(dir)).close();
    const db = new DatabaseSync(`${dir}/agentd.db`, { readOnly: true });
    try {
      const found = db.prepare("PRAGMA integrity_check").all().map((row) => Object.values(row)[0]);
      return found.length === 1 && found[0] === "ok" ? undefined : found.join("; ");
    } finally {
      db.close();
    }
  } catch (error) {
    return (error as Error).message;
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

async function goneOnWith(dir: string, said: readonly string[]): Promise<void> {
  const backend = await openLocal(dir);
  try {
    const storage = backend.storage(ID);
    const kept = new Set((await storage.list({ prefix: key.seen("") })).map((row) => row.key));
    for (const id of told(said, "taken")) {
      if (!kept.has(key.seen(id))) throw new Error(`${id} was taken and is not there`);
    }
    const runtime = await createAgentd({ backend, signer: memorySigner() });
    try {
      const agents = (await runtime.list({})).map(({ id }) => id);
      if (!agents.includes(ID)) {
        if (said.includes(`made ${ID}`)) throw new Error(`${ID} was made and is not there`);
        return;
      }
      const files = await runtime.files(ID, { viewer: "operator", name: "operator" });
      const { count = 0 } = await readJson<{ count?: number }>(files, "/state");
      const ticked = told(said, "ticked").length;
      if (count < ticked) throw new Error(`${ticked} were ticked, and the state counts ${count}`);
      const { envelope_id } = await callJson<Receipt>(files, "/inbox", { payload: "how many?" });
      const waited = await runtime.wait(ID, envelope_id as EnvelopeId, NEVER);
      const reply = (waited!.replies[0] as { text: string }).text;
      if (Number(reply) !== kept.size + 1) {
        throw new Error(`${kept.size} were taken, and ${Number(reply) - 1} were ticked in the end`);
      }
    } finally {
      await runtime.stop(0);
    }
  } finally {
    await backend.close();
  }
}

function told(said: readonly string[], what: string): string[] {
  return said.filter((line) => line.startsWith(`${what} `)).map((line) =>
    line.slice(what.length + 1)
  );
}
