/** Who has models: the sellers of the settings, and servers on this machine where they usually are. */
import { VERSION_HEADER } from "../../http/app.ts";
import type { Call } from "../call.ts";
import type { Home } from "../home.ts";
import type { Found } from "../settings.ts";
import { type Finding, type Group, look } from "./finding.ts";
import { lookAtSellers } from "./sellers.ts";

const ANSWER_MS = 1_500;
const HOST = "127.0.0.1";

export interface Kind {
  readonly name: string;
  readonly port: number;
  /** Where it lists its models. */
  readonly path: string;
  readonly start: string;
}

const KINDS: readonly Kind[] = [
  { name: "Ollama", port: 11434, path: "/api/tags", start: "ollama serve" },
  { name: "LM Studio", port: 1234, path: "/v1/models", start: "lms server start" },
  { name: "vLLM", port: 8000, path: "/v1/models", start: "vllm serve MODEL" },
  {
    name: "llama.cpp",
    port: 8080,
    path: "/v1/models",
    start: "llama-server -m MODEL.gguf --port 8081 (8080 is agentd's own)",
  },
];

export async function lookAtModels(
  call: Call,
  home: Home,
  found: Found | undefined,
): Promise<Group> {
  const [sellers, ...here] = await Promise.all([
    lookAtSellers(call, home, found),
    ...KINDS.map((kind) => look(kind.name, () => ask(kind))),
  ]);
  return { title: "Model servers", findings: [...sellers, ...here] };
}

/** Another agentd sells what its agents may use: no model server of its own. */
export async function ask(kind: Kind): Promise<Finding> {
  const { name, port, path } = kind;
  const at = `${HOST}:${port}`;
  let response: Response;
  try {
    response = await fetch(`http://${at}${path}`, { signal: AbortSignal.timeout(ANSWER_MS) });
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) throw error;
    return absent(kind, `nobody answers at ${at}`);
  }
  if (response.headers.has(VERSION_HEADER)) {
    await response.body?.cancel();
    return absent(kind, `agentd is at ${at}`);
  }
  const models = modelsIn(await response.json().catch(() => undefined));
  if (models) {
    const some = models.slice(0, 3).join(", ") + (models.length > 3 ? " …" : "");
    return { name, state: "ok", found: `${at} · ${models.length === 0 ? "no models yet" : some}` };
  }
  return absent(kind, `something else answers at ${at}`);
}

function absent({ name, start }: Kind, found: string): Finding {
  return { name, state: "absent", found, todo: start };
}

/** Names of models, in the form of either kind of API. */
export function modelsIn(body: unknown): string[] | undefined {
  const { data, models } = (body ?? {}) as { data?: unknown; models?: unknown };
  const list = Array.isArray(data) ? data : Array.isArray(models) ? models : undefined;
  return list?.map((one) => String(one?.id ?? one?.name ?? "?"));
}
