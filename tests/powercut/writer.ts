/** Runs in a process of its own, under a recorder: a runtime on a database, and a line on standard output for each thing that it says is durable. */
import { createAgentd } from "../../src/agentd.ts";
import { openLocal } from "../../src/backends/local/sqlite.ts";
import { agentId } from "../../src/core/id.ts";
import type { Receipt } from "../../src/core/view.ts";
import { callJson } from "../../src/fs/use.ts";
import { memorySigner } from "../../src/providers/signer/memory.ts";
import { chanceOf } from "../sim/chance.ts";

const ID = agentId("bob");
const SENDERS = 4;
/** Some are so large that they are kept in chunks. */
const SIZES = [10, 500, 3_000, 3_000, 80_000];
const NEVER = new AbortController().signal;

/** One write to the pipe, so that it stands in the recording where it was said. */
function say(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

async function main(dir: string, messages: number, seed: number): Promise<void> {
  const chance = chanceOf(seed);
  const backend = await openLocal(dir);
  const runtime = await createAgentd({ backend, signer: memorySigner() });
  await runtime.create({ id: ID, agent: "counter" });
  say("made bob");
  const files = await runtime.files(ID, { viewer: "operator", name: "operator" });
  let next = 0;
  await Promise.all(Array.from({ length: SENDERS }, async () => {
    while (next < messages) {
      const id = `m${++next}`;
      const payload = "x".repeat(chance.pick(SIZES));
      const { envelope_id } = await callJson<Receipt>(files, "/inbox", { id, payload });
      say(`taken ${id}`);
      await runtime.wait(ID, envelope_id, NEVER);
      say(`ticked ${id}`);
    }
  }));
  await runtime.stop(1_000);
  await backend.close();
}

const [dir, messages, seed] = Deno.args;
await main(dir!, Number(messages), Number(seed));
