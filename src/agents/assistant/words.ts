/** What an assistant says of itself: to the model, what files there are; to the user, why there is no answer. */
import { codeOf } from "../../fs/error.ts";
import type { AgentContext, Failure } from "../../core/agent.ts";
import { isoTime } from "../../core/id.ts";
import type { MountRow } from "../../core/view.ts";
import { reasonOf as reasonFor } from "../common/refusals.ts";
import type { Config } from "./config.ts";

/** What a model would otherwise have to find out, where the path does not say it. */
const ABOUT: Readonly<Record<string, string>> = {
  "/compute": "model calls",
  "/containers":
    'programs: call /containers/new with {"commands":["..."]}, watch the status_path ' +
    "of the answer, then read its result_path; reading /containers/new says what else it takes",
  "/files": "your own files, any text, kept for good",
  "/goals": "your goals, <id>.json",
  "/http": "requests to the web: call /http/new, and read it for what it takes",
  "/inbox": "messages that wait for you",
  "/kv": "small values by name",
  "/logs": "what you did: recent, trace, trajectory",
  "/status": "how you are doing",
};

/** The first message of every call. */
export async function systemOf(ctx: AgentContext, { prompt }: Config): Promise<string> {
  const mounts = await readMounts(ctx);
  const lines = mounts.map(({ path, access, type }) => {
    const about = type === "dir" ? "a directory of the machine" : ABOUT[path];
    return `${path} (${access.replace("_", " ")})${about === undefined ? "" : `: ${about}`}`;
  });
  return [
    prompt,
    "",
    `You are the agent ${ctx.agent.id}. It is ${
      isoTime(ctx.now())
    }. All that you have is files, which you ` +
    "use with the tools list, read, write, call and watch. There is:",
    ...lines,
  ].join("\n");
}

/** The same for a model that has no tools. */
export function plainSystemOf({ agent, now }: AgentContext, { prompt }: Config): string {
  return `${prompt}\n\nYou are the agent ${agent.id}. It is ${isoTime(now())}.`;
}

async function readMounts({ env }: AgentContext): Promise<MountRow[]> {
  try {
    const rows = await env.readJson<MountRow[]>("/mounts");
    return rows.filter(({ access }) => access !== "disabled");
  } catch (error) {
    if (!["not_found", "permission_denied"].includes(codeOf(error))) throw error;
    return [{ path: "/", service: "", access: "read_only" }];
  }
}

/** Why a model call came to nothing, for the user. */
export function reasonOf(failure: Failure): string {
  return reasonFor(failure, {
    max_cost_required: "I cannot bound what this model call costs; max_step_cost_micro_usd in my " +
      "config would",
  });
}

export function noToolsNote(model: string): string {
  return `(The model ${model} has no tool calls, so I cannot use my files: I can only talk.)`;
}
