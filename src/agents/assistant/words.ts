/** What an assistant says of itself: to the model, what files there are; to the user, why there is no answer. */
import { codeOf, type FileError } from "../../fs/error.ts";
import type { AgentContext, Failure } from "../../core/agent.ts";
import { isoTime } from "../../core/id.ts";
import type { MountRow } from "../../core/view.ts";
import type { Config } from "./config.ts";

/** What a model would otherwise have to find out, where the path does not say it. */
const ABOUT: Readonly<Record<string, string>> = {
  "/compute": "model calls",
  "/files": "your own files, any text, kept for good",
  "/goals": "your goals, <id>.json",
  "/http": "requests to the web: call /http/new",
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

const REASONS: Readonly<Record<string, string>> = {
  approval_required: "A person has to allow this model call first",
  budget_exceeded: "My budget does not allow this model call",
  insufficient_credits: "The provider wants to be paid first",
  max_cost_required: "I cannot bound what this model call costs; max_step_cost_micro_usd in my " +
    "config would",
  not_found: "I cannot have this model",
  not_supported: "This model cannot do that",
  permission_denied: "I may not make this model call",
  provider_unavailable: "No model can be reached",
  rate_limited: "The model takes no more calls at the moment",
  timeout: "The model took too long",
  too_large: "This is too much for the model",
};

/** Why a model call came to nothing, for the user. */
export function reasonOf({ code, message }: Failure): string {
  return `${REASONS[code] ?? "The model call failed"}: ${message} (${code})`;
}

/** An error of a file as a failure. */
export function failureOf(error: unknown): Failure {
  const { detail, message } = error as FileError;
  return { code: codeOf(error), message: detail ?? message };
}

export const NO_MODEL =
  "I have no model. Start a model server on this machine (Ollama, llama.cpp, " +
  "LM Studio, vLLM) and ask again, or make an assistant that has a model by name: agentd create <id> assistant " +
  "--model <name>. Who sells models: agentd ls <id>/compute/providers/";

export function noToolsNote(model: string): string {
  return `(The model ${model} has no tool calls, so I cannot use my files: I can only talk.)`;
}
