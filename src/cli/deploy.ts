/** `agentd deploy`: other code for an agent, its state kept. */
import type { AgentId } from "../core/id.ts";
import type { Deployed } from "../core/view.ts";
import { codeOf, retold } from "../fs/error.ts";
import { callText } from "../fs/use.ts";
import type { Client } from "../http/client.ts";
import type { Bundle } from "./bundle.ts";
import { type Action, answer, arg, withProgress } from "./call.ts";
import { bundled, bundleWords, shortDigest } from "./code.ts";
import { noteCode } from "./sources.ts";
import { idOf } from "./target.ts";

const CODE = "/code";

export const deploy: Action = async (call) => {
  const id = idOf(arg(call, "id"));
  const file = arg(call, "file");
  const server = call.server();
  // What is not there, and who may not, is told before anything is bundled.
  const { code_digest } = await withProgress(call, `asking for ${id}`, server.info(id));
  const bundle = await bundled(call, file);
  const { paint } = call.terminal;
  const note = () => noteCode(call, server.url, id, { kind: "module", file, bundle });
  if (bundle.digest === code_digest) {
    note();
    return answer(call, { id, changed: false, code_digest }, () => [
      `${paint("bold", id)} has this code already   ${paint("dim", shortDigest(code_digest))}`,
    ]);
  }
  const sent = await withProgress(call, `deploying to ${id}`, sendCode(server, id, bundle));
  note();
  const { bytes } = bundle;
  answer(call, { id, changed: true, ...sent, bytes }, () => [
    `${paint("bold", id)} deployed   ${shortDigest(sent.before.code_digest)} → ` +
    `${shortDigest(sent.code_digest)} · ${bundleWords(bundle)} · ${stateWords(sent)}`,
  ]);
};

/** Another deploy, or an export, of the same agent goes first: it is waited for so often, and so long each time. */
const TURNS = 120;
const TURN_MS = 250;

/** Resolves when the agent runs the new code; its old code stays when this rejects. */
export async function sendCode(server: Client, id: AgentId, { code }: Bundle): Promise<Deployed> {
  for (let turn = 1;; turn++) {
    try {
      const options = { type: "text/javascript" };
      return JSON.parse(await callText(server.files(id), CODE, code, options)) as Deployed;
    } catch (error) {
      if (codeOf(error) !== "conflict" || turn === TURNS) {
        throw codeOf(error) === "internal" ? error : retold(error, "deploy to", id);
      }
    }
    await new Promise((resolve) => setTimeout(resolve, TURN_MS));
  }
}

/** `state kept (v1)`, `state migrated (v1 → v2)` */
export function stateWords({ before, version }: Deployed): string {
  if (before.version === version) return `state kept (v${version})`;
  return `state migrated (v${before.version} → v${version})`;
}
