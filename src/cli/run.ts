/** `agentd run`: a new agent in memory, one message, its reply; nothing is kept. */
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { createAgentd } from "../agentd.ts";
import { localWorld } from "../backends/local/local_world.ts";
import { memoryBackend } from "../backends/memory.ts";
import type { Agent } from "../core/agent.ts";
import type { Json } from "../core/envelope.ts";
import { agentId } from "../core/id.ts";
import type { Runtime } from "../core/runtime.ts";
import type { Receipt } from "../core/view.ts";
import { callJson, callText } from "../fs/use.ts";
import { memorySigner } from "../providers/signer/memory.ts";
import { tickFailed } from "./agent.ts";
import { type Action, arg, type Call, option, printJson, restArg, withProgress } from "./call.ts";
import { span } from "./print.ts";
import { EXIT, trouble, usage } from "./exit.ts";
import { printReplies } from "./send.ts";

const ID = agentId("run");
/** Who watches wants the error now, and not after three more tries. */
const ONE_TRY = { retry_ms: [] };
const OPERATOR = { viewer: "operator", name: "operator" } as const;
const MODULE = /[/\\]|\.[mc]?[jt]sx?$/;

export const run: Action = async (call) => {
  const named = arg(call, "agent");
  const words = restArg(call, "message");
  const agents = MODULE.test(named) ? { [named]: await moduleOf(call, named) } : {};
  const runtime = await createAgentd({
    backend: memoryBackend(localWorld),
    signer: memorySigner(),
    agents,
    onError: (error) => call.terminal.note(String(error)),
  });
  try {
    const creating = runtime.create({ id: ID, agent: named, limits: ONE_TRY });
    await withProgress(call, `waiting for ${named}`, creating);
    const done = words.length === 0 ? tickOnce(call, runtime) : ask(call, runtime, words.join(" "));
    const { tick, replies } = await withProgress(call, `waiting for ${named}`, done);
    if (!tick.success) throw tickFailed(call, named, tick);
    if (call.json) printJson(call, { tick, replies });
    else printReplies(call, replies, `tick 1 · ${span(tick.duration_ms)}`);
  } finally {
    await runtime.stop(0);
  }
};

async function ask(call: Call, runtime: Runtime, text: string) {
  const files = await runtime.files(ID, OPERATOR);
  const payload = { kind: "text", text };
  const { envelope_id } = await callJson<Receipt>(files, "/inbox", { payload });
  const done = await runtime.wait(ID, envelope_id, call.signal);
  if (!done) throw trouble(EXIT.failed, "stopped before the agent had answered");
  return done;
}

async function tickOnce(call: Call, runtime: Runtime) {
  const files = await runtime.files(ID, OPERATOR);
  const tick = JSON.parse(await callText(files, "/ctl", "tick", { signal: call.signal }));
  return { tick, replies: [] as readonly Json[] };
}

/** A module of the user's, loaded into this very program. */
async function moduleOf(call: Call, path: string): Promise<Agent> {
  if (!option(call, "unsafeInline")) {
    throw usage(
      `${path} is code of yours, and "run" has no wall around it: it would have every right of this program`,
      "If you trust it: --unsafe-inline.",
    );
  }
  if (!call.quiet) {
    const what = `${path} runs inside this program: with its files, network and environment`;
    call.terminal.note(call.terminal.paintNote("yellow", what));
  }
  let exports: { default?: unknown };
  try {
    exports = await import(pathToFileURL(resolve(call.cwd, path)).href);
  } catch (error) {
    throw trouble(EXIT.failed, `${path} does not load: ${(error as Error).message}`);
  }
  const agent = exports.default as Agent | undefined;
  if (typeof agent?.onTrigger === "function") return agent;
  throw trouble(EXIT.failed, `${path} is no agent`, "Its default export has no onTrigger.");
}
