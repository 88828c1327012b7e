/** Files of agents that are imported: cut, changed, mixed, also with a checksum that fits. */
import { createAgentd } from "../../../src/agentd.ts";
import { memoryBackend } from "../../../src/backends/memory.ts";
import type { Agent } from "../../../src/core/agent.ts";
import { digest } from "../../../src/core/code.ts";
import type { Json } from "../../../src/core/envelope.ts";
import { agentId } from "../../../src/core/id.ts";
import { callText, entries, readBytes } from "../../../src/fs/use.ts";
import type { FileService } from "../../../src/fs/file.ts";
import { memorySigner } from "../../../src/providers/signer/memory.ts";
import { deepEqual, equal } from "../../assert.ts";
import { refusingLater } from "../expect.ts";
import { brokenJson, brokenText, partsOf } from "../mutate.ts";
import type { Chance } from "../../sim/chance.ts";
import type { Target } from "../target.ts";

const ID = agentId("pilgrim");
const CALM = agentId("calm");
const NEVER = new AbortController().signal;
const OPERATOR = { viewer: "operator", name: "operator" } as const;

/** The runtime's own. */
const OWN = ["@registry", "@runtime"];

/** Has something in every kind of row. */
const pilgrim: Agent = {
  name: "pilgrim",
  async onTrigger(ctx, trigger) {
    if (trigger.type !== "message") return;
    if (trigger.text === "fail") throw new Error("as told");
    ctx.state.heard = [...(ctx.state.heard ?? []), trigger.text];
    await ctx.kv.set("last", trigger.text);
    await ctx.env.write("/files/log.txt", trigger.text);
    await ctx.markSeen(trigger.text);
    if (trigger.text === "alarm") await ctx.alarm(3_600_000, { ring: true });
    await ctx.reply(trigger.text);
  },
};

async function place(backend = memoryBackend()) {
  const errors: unknown[] = [];
  const runtime = await createAgentd({
    backend,
    signer: memorySigner(),
    agents: { pilgrim },
    onError: (error) => errors.push(error),
  });
  return { backend, runtime, errors };
}

/** The lines of one that is whole. */
async function exported(): Promise<string[]> {
  const { runtime } = await place();
  await runtime.create({ id: ID, agent: "pilgrim", goals: ["arrive"], config: { a: 1 } });
  const files = await runtime.files(ID, OPERATOR);
  for (const text of ["one", "alarm"]) {
    const { envelope_id } = JSON.parse(await callText(files, "/inbox", text));
    await runtime.wait(ID, envelope_id, NEVER);
  }
  await callText(files, "/ctl", "pause").catch(() => {});
  await callText(files, "/inbox", "waits");
  let text = "";
  for await (const chunk of await runtime.exportAgent(ID)) text += new TextDecoder().decode(chunk);
  await runtime.stop(0);
  return text.trimEnd().split("\n");
}

const LINES = await exported();

/** With the last line that belongs to the others. */
function summed(lines: readonly string[]): string {
  const text = lines.map((line) => `${line}\n`).join("");
  return `${text}${JSON.stringify({ rows: lines.length - 1, sha256: digest(text) })}\n`;
}

function brokenLine(chance: Chance, line: string): string {
  if (chance.percent(40)) return brokenText(chance, line, LINES);
  return JSON.stringify(brokenJson(chance, JSON.parse(line) as Json));
}

/** Every file of an agent, read. */
async function readAll(files: FileService, path = "/"): Promise<void> {
  const base = path === "/" ? "" : path;
  for await (const { name, dir } of entries(files, path)) {
    const inner = `${base}/${name}`;
    if (dir) await readAll(files, inner);
    else await refusingLater(() => readBytes(files, inner), ...SPOILT);
  }
}

/** A checksum is no signature: rows that nobody has written may fit it. What they are may be told of them, and nothing else may suffer. */
const SPOILT = [
  "corrupt",
  "invalid_request",
  "not_found",
  "agent_error",
  "permission_denied",
  "not_supported",
  "invalid_path",
  "internal",
] as const;

/** Another agent, which has nothing to do with it, ticks. */
async function mustTick({ runtime, backend }: Awaited<ReturnType<typeof place>>): Promise<void> {
  const files = await runtime.files(CALM, OPERATOR);
  const { envelope_id } = JSON.parse(await callText(files, "/inbox", "still there?"));
  await backend.clock.advance(1_000);
  equal((await runtime.wait(CALM, envelope_id, NEVER))?.replies.length, 1);
}

export const target: Target<{
  lines: string[];
  /** With a checksum that fits. */
  summed: boolean;
  mode: string;
  size: number;
}> = {
  about: "a file is taken in whole, or refused and leaves nothing",
  sample: 400,
  make(chance) {
    const lines = LINES.slice(0, -1);
    for (let left = 1 + chance.below(3); left > 0; left--) {
      const at = chance.below(lines.length);
      const act = chance.weighed({ change: 6, drop: 1, double: 1, swap: 1 });
      // A line of the whole file, so that it can be taken apart however often.
      if (act === "change") lines[at] = brokenLine(chance, LINES[Math.min(at, LINES.length - 1)]!);
      if (act === "drop") lines.splice(at, 1);
      if (act === "double") lines.splice(at, 0, lines[at]!);
      if (act === "swap") lines.push(...lines.splice(at, 1));
    }
    const isSummed = chance.percent(70);
    return {
      lines: isSummed ? lines : [brokenText(chance, summed(lines), LINES)],
      summed: isSummed,
      mode: chance.pick(["restore", "clone"]),
      size: 1 + chance.below(3_000),
    };
  },
  async begin() {
    let here = await place();
    await here.runtime.create({ id: CALM, agent: "pilgrim" });
    return {
      async try({ lines, summed: isSummed, mode, size }) {
        const { runtime, backend } = here;
        const bytes = new TextEncoder().encode(isSummed ? summed(lines) : lines.join("\n"));
        const chunks = (async function* () {
          yield* partsOf(bytes, [size]);
        })();
        const options = { mode: mode as "restore" | "clone", id: agentId("there") };
        const made = await refusingLater(
          () => runtime.importAgent(chunks, options),
          "invalid_request",
          "not_supported",
          "corrupt",
        );
        if (made) {
          await refusingLater(
            async () => await readAll(await runtime.files(made.id, OPERATOR)),
            ...SPOILT,
          );
          await mustTick(here);
          // Whoever starts again finds the same rows.
          await runtime.stop(0);
          here = await place(backend.reopen());
          await mustTick(here);
          await here.runtime.delete(made.id);
        }
        deepEqual(await here.backend.owners({ limit: 10 }), [...OWN, CALM]);
      },
      end: () => here.runtime.stop(0),
    };
  },
};
