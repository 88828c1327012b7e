/** `agentd run`: a new agent in memory, one message, its reply; nothing is kept. A file of the user's runs in a process of its own, as it does under a server. */
import { createAgentd } from "../agentd.ts";
import { localWorld } from "../backends/local/local_world.ts";
import { memoryBackend } from "../backends/memory.ts";
import type { Json } from "../core/envelope.ts";
import { agentId } from "../core/id.ts";
import type { Runtime } from "../core/runtime.ts";
import type { Receipt } from "../core/view.ts";
import { callJson, callText } from "../fs/use.ts";
import { computeProviders } from "../providers/compute/mod.ts";
import { processHost } from "../hosts/process.ts";
import { memorySigner } from "../providers/signer/memory.ts";
import { tickFailed } from "./agent.ts";
import { type Action, arg, type Call, printJson, restArg, withProgress } from "./call.ts";
import { codeBody, codeOf } from "./code.ts";
import { EXIT, trouble } from "./exit.ts";
import { span } from "./print.ts";
import { printReplies } from "./send.ts";

const ID = agentId("run");
/** Who watches wants the error now, and not after three more tries. */
const ONE_TRY = { retry_ms: [] };
const OPERATOR = { viewer: "operator", name: "operator" } as const;

/** How long model servers on this machine may take to be found. */
const LOOK_MS = 1_000;

export const run: Action = async (call) => {
  const named = arg(call, "agent");
  const words = restArg(call, "message");
  const code = await codeOf(call, named);
  // One process, and none beside it for a second one.
  const host = processHost({ maxProcesses: 1, spares: 0 });
  const compute = computeProviders({
    world: { fetch, now: localWorld.now, timer: localWorld.timer },
    secret: () => undefined,
  });
  const runtime = await createAgentd({
    backend: memoryBackend(localWorld),
    signer: memorySigner(),
    moduleHost: host,
    compute,
    onError: (error) => call.terminal.note(String(error)),
  });
  try {
    // An assistant asks the first model that is known; elsewhere there would be time to find it.
    await Promise.race([
      compute.refresh(),
      new Promise<void>((resolve) => localWorld.timer(LOOK_MS, resolve)),
    ]);
    const creating = runtime.create({ id: ID, agent: codeBody(code), limits: ONE_TRY });
    await withProgress(call, `waiting for ${named}`, creating);
    const done = words.length === 0 ? tickOnce(call, runtime) : ask(call, runtime, words.join(" "));
    const { tick, replies } = await withProgress(call, `waiting for ${named}`, done);
    if (!tick.success) throw tickFailed(call, named, tick);
    if (call.json) printJson(call, { tick, replies });
    else {
      const without = words.length === 0 ? " · no message was given" : "";
      printReplies(call, replies, `tick 1 · ${span(tick.duration_ms)}${without}`);
    }
  } finally {
    await runtime.stop(0);
    await compute.close();
    await host.stop();
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
