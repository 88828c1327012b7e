/** `agentd serve` and `agentd dev`: a server until it is told to stop. */
import { codeOf } from "../fs/error.ts";
import { agentId } from "../core/id.ts";
import { type Action, type Call, option, printJson } from "./call.ts";
import { asFailure, lineOf } from "./exit.ts";
import type { Home } from "./home.ts";
import { parseListen } from "./listen.ts";
import { count, span } from "./print.ts";
import { isOpen, type Server, startServer } from "./server.ts";
import { type Watching, watching } from "./watching.ts";
import { envNames, readSettings, type SettingName } from "./settings.ts";

const DEMO = { id: agentId("abc"), agent: "echo" };
/** The same error is told again after so long. */
const REPEAT_MS = 10_000;

export const serve: Action = (call) => run(call, call.home());

/** In `./.agentd`, with somebody to talk to; what agents are made of is watched. */
export const dev: Action = (call) => run(call, call.home(true), { greet: demo, watch: watching });

interface Extra {
  /** Makes what is missing, and answers what else there is to say. */
  greet(call: Call, server: Server): Promise<string[]>;
  watch(call: Call, home: Home, url: string): Watching;
}

async function run(call: Call, home: Home, extra?: Extra): Promise<void> {
  const { settings } = readSettings({
    home,
    env: call.env,
    names: envNames(),
    flags: flagsOf(call),
  });
  const address = parseListen(settings.listen, call.cwd);
  const report = reporter(call);
  const server = await startServer({
    home,
    address,
    settings,
    version: call.version,
    env: call.env,
    report,
  })
    .catch((error) => {
      throw asFailure(error);
    });
  call.hurry.addEventListener("abort", server.abandon);
  const stopped = aborted(call.signal);
  let watch: Watching | undefined;
  try {
    const more = await extra?.greet(call, server) ?? [];
    if (call.json) printJson(call, ready(call, home, server));
    else if (!call.quiet) {
      for (const line of [...banner(call, home, server), ...more]) call.terminal.print(line);
    }
    watch = extra?.watch(call, home, server.url);
    await stopped;
  } finally {
    await watch?.stop();
    if (!call.quiet) {
      const grace = `running ticks have up to ${span(settings.grace_ms)}`;
      call.terminal.note(
        call.terminal.paintNote("dim", `stopping; ${grace}, Ctrl-C stops at once`),
      );
    }
    await server.stop(settings.grace_ms);
  }
}

function ready(call: Call, home: Home, server: Server): unknown {
  return {
    version: call.version,
    url: server.url,
    pid: Deno.pid,
    home: home.dir,
    requires_token: server.requiresToken,
  };
}

function banner(call: Call, home: Home, server: Server): string[] {
  const { paint } = call.terminal;
  const url = server.url.replace(/^http:\/\/127\.0\.0\.1(?=:)/, "http://localhost");
  const head = `${paint("bold", `agentd ${call.version}`)}   ${
    paint("cyan", url)
  }   data ${home.shown}`;
  if (isOpen(server.address)) {
    return [head, `others can reach it: every request needs the token in ${home.shown}/token`];
  }
  return server.requiresToken
    ? [head, `every request needs the token in ${home.shown}/token`]
    : [head];
}

/** Says who is there; makes the demo agent when nobody is. */
async function demo(call: Call, { runtime, address }: Server): Promise<string[]> {
  const [first] = await runtime.list({ limit: 1 });
  const { agents } = await runtime.status();
  const dim = (text: string) => call.terminal.paint("dim", text);
  if (first && first.id !== DEMO.id) {
    return [`${count(agents, "agent")}      ${dim("next:")} ${call.program} list`];
  }
  if (!first) await runtime.create(DEMO);
  const others = agents > 1 ? ` and ${count(agents - 1, "other")}` : "";
  const curl = address.kind === "tcp"
    ? `curl -X POST localhost:${address.port}/agents/${DEMO.id}/send -d hi · `
    : "";
  return [
    `${DEMO.id} (${first?.agent ?? DEMO.agent})${others} ready      ` +
    `${dim("next:")} ${curl}${call.program} init bot`,
  ];
}

function flagsOf(call: Call): Partial<Record<SettingName, unknown>> {
  return {
    listen: option(call, "listen"),
    require_token: option(call, "requireToken"),
    allow_host: option(call, "allowHost"),
    model_server: option(call, "modelServer"),
    grace_ms: option(call, "graceMs"),
  };
}

/** Tells errors on standard error; one that comes again and again, as with a full disk, is told once in a while. */
function reporter(call: Call): (error: unknown) => void {
  const told = new Map<string, number>();
  return (error) => {
    const line = lineOf(error);
    const now = Date.now();
    if (now - (told.get(line) ?? -Infinity) < REPEAT_MS) return;
    if (told.size >= 100) told.clear();
    told.set(line, now);
    call.terminal.note(`${call.terminal.paintNote("red", "error:")} ${line}`);
    for (const frame of framesOf(error)) call.terminal.note(call.terminal.paintNote("dim", frame));
  };
}

/** Where a fault of the program itself was thrown: nobody else is told. */
function framesOf(error: unknown): string[] {
  if (codeOf(error) !== "internal") return [];
  const { stack, cause } = error as { stack?: string; cause?: { stack?: string } };
  return (cause?.stack ?? stack ?? "").split("\n").filter((line) => line.startsWith("    at "));
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
