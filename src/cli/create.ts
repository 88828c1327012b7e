/** `agentd create`: an agent from a built-in, or from a file that is bundled here. */
import type { Limits } from "../core/agent.ts";
import type { Autonomy } from "../core/autonomy.ts";
import type { BudgetPolicy } from "../core/budget.ts";
import type { Json } from "../core/envelope.ts";
import type { AgentId } from "../core/id.ts";
import type { AgentDetails, AgentInfo, CreateRequest } from "../core/runtime.ts";
import type { Access } from "../core/view.ts";
import { FileError, retold } from "../fs/error.ts";
import { type Action, answer, arg, type Call, option, withProgress } from "./call.ts";
import { type Code, codeBody, codeOf } from "./code.ts";
import { usage } from "./exit.ts";
import { dollars } from "./print.ts";
import { noteCode } from "./sources.ts";
import { idOf } from "./target.ts";

export const create: Action = async (call) => {
  const id = idOf(arg(call, "id"));
  const code = await codeOf(call, arg(call, "agent"));
  const server = call.server();
  const request = { ...requestOf(call), id, agent: codeBody(code) };
  const made = await withProgress(call, `creating ${id}`, server.create(request)).catch((error) => {
    throw refused(id, code, error);
  });
  noteCode(call, server.url, id, code);
  const details = await server.info(id);
  answer(call, { ...made.info, created: made.created }, () => [line(call, made, details)]);
};

/** The server knows of no file that a name without a path was meant to be. */
function refused(id: AgentId, code: Code, error: unknown): unknown {
  if ((error as Partial<FileError>).name !== "FileError") return error;
  const told = retold(error, "create", id);
  if (told.code !== "not_found" || code.kind !== "builtin") return told;
  const detail = `${told.detail}; code of your own is named by its file: ./${code.name}/agent.ts`;
  return new FileError("not_found", "create", id, { detail });
}

function requestOf(call: Call): Omit<CreateRequest, "id" | "agent"> {
  const name = option<string>(call, "name");
  const config = configOf(call);
  const goals = option<string[]>(call, "goal");
  const mounts = option<[string, Access][]>(call, "mount");
  const limits = option<Partial<Limits>>(call, "limits");
  const budgets = option<[string, BudgetPolicy][]>(call, "budget");
  const autonomy = option<Autonomy>(call, "autonomy");
  return {
    ...(name === undefined ? {} : { name }),
    ...(config === undefined ? {} : { config }),
    ...(goals === undefined ? {} : { goals }),
    ...(mounts === undefined ? {} : { mounts: Object.fromEntries(mounts) }),
    ...(limits === undefined ? {} : { limits }),
    ...(budgets === undefined ? {} : { budgets: Object.fromEntries(budgets) }),
    ...(autonomy === undefined ? {} : { autonomy }),
  };
}

/** What is given by options of its own is a field of the config too. */
function configOf(call: Call): Json | undefined {
  const config = option<Json>(call, "config");
  const fields: { [name: string]: Json | undefined } = {
    prompt: option<string>(call, "prompt"),
    model: option<string>(call, "model"),
    image: option<string>(call, "image"),
    language: option<string>(call, "language"),
    max_steps: option<number>(call, "maxSteps"),
  };
  const given = Object.entries(fields).filter(([, value]) => value !== undefined);
  if (given.length === 0) return config;
  const base = config ?? {};
  if (typeof base !== "object" || Array.isArray(base)) {
    throw usage(
      "--prompt, --model, --image, --language and --max-steps are fields of --config, which is no object here",
    );
  }
  return { ...base, ...Object.fromEntries(given) as { [name: string]: Json } };
}

function line(
  call: Call,
  { info, created }: { readonly info: AgentInfo; readonly created: boolean },
  details: AgentDetails,
): string {
  const said = `${call.terminal.paint("bold", info.id)} ${
    created ? "created" : "is there already"
  }`;
  const what = info.agent === "module" ? reachOf(details, created) : `${info.agent} · ${info.npub}`;
  return `${said}   ${what}`;
}

/** How far an agent of one's own code goes: `own process · no network · may spend $0`. */
function reachOf({ mounts, budget }: AgentDetails, created: boolean): string {
  // A new one's policy allows no host.
  const open = !created &&
    mounts.some(({ path, access }) => path === "/http" && access !== "disabled");
  return [
    "own process",
    open ? "network as /http/policy says" : "no network",
    `may spend ${dollars(limitOf(budget))}`,
  ].join(" · ");
}

/** Micro-USD. */
function limitOf(budget: Json): number {
  const limit = (budget as { limit_micro_usd?: unknown } | null)?.limit_micro_usd;
  return typeof limit === "number" ? limit : 0;
}
