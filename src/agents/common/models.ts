/** Which model an agent asks, and whether that model can call tools, as far as its provider knows. */
import { codeOf } from "../../fs/error.ts";
import type { AgentContext } from "../../core/agent.ts";
import type { ModelInfo, ProviderHealth, ProviderInfo } from "../../core/compute.ts";

const PROVIDERS = "/compute/providers";

export interface Chosen {
  /** As a request names it. */
  readonly name: string;
  /** Undefined: not known. */
  readonly tools: boolean | undefined;
}

/**
 * The model of that name (`<model>` or `<provider>/<model>`), or without a name the first that can chat, one with tool calls before the others. Undefined
 * where a name is not known here, or where there is none at all.
 */
export async function chooseModel(
  { env }: AgentContext,
  wanted: string | undefined,
): Promise<Chosen | undefined> {
  const chats: Chosen[] = [];
  for (const provider of await names(env)) {
    const at = `${PROVIDERS}/${provider}`;
    const models = await env.readJson<ModelInfo[]>(`${at}/models`);
    const found = models.find(({ id }) => id === wanted || `${provider}/${id}` === wanted);
    if (wanted !== undefined && found) return { name: wanted, tools: found.tools };
    if (wanted !== undefined || models.length === 0) continue;
    const { by_name_only } = await env.readJson<ProviderInfo>(`${at}/info`);
    if (by_name_only) continue;
    for (const { id, kinds, tools } of models) {
      if (kinds.includes("chat")) chats.push({ name: `${provider}/${id}`, tools });
    }
  }
  return chats.find(({ tools }) => tools === true) ?? chats[0];
}

/** Is somebody there of whom it is not known yet what they have? So it is for a moment after a start. */
export async function isAnyoneUnseen({ env }: AgentContext): Promise<boolean> {
  for (const provider of await names(env)) {
    const { status } = await env.readJson<ProviderHealth>(`${PROVIDERS}/${provider}/health`);
    if (status === "unknown") return true;
  }
  return false;
}

/** Who could have models and is down, and why: `openai (there is no key; …)`. */
export async function whoIsDown({ env }: AgentContext): Promise<string[]> {
  const down: string[] = [];
  for (const provider of await names(env)) {
    const { status, error } = await env.readJson<ProviderHealth>(`${PROVIDERS}/${provider}/health`);
    if (status === "down") down.push(error === undefined ? provider : `${provider} (${error})`);
  }
  return down;
}

/** None where the agent has no `/compute`, which the first call says better. */
async function names(env: AgentContext["env"]): Promise<string[]> {
  try {
    return (await env.list(PROVIDERS)).map(({ name }) => name);
  } catch (error) {
    if (["not_found", "permission_denied"].includes(codeOf(error))) return [];
    throw error;
  }
}
