/** The machine: this program itself, agents' own processes, the clock. */
import { join } from "node:path";
import { DEFAULT_LIMITS } from "../../core/agent.ts";
import { digest } from "../../core/code.ts";
import { processHost } from "../../hosts/process.ts";
import type { Call } from "../call.ts";
import type { Home } from "../home.ts";
import { span } from "../print.ts";
import { type Finding, type Group, look } from "./finding.ts";

/** The oldest Deno that this program runs on. */
const OLDEST_DENO = "2.7.11";
/** This program was not written before. */
const EARLIEST_MS = Date.UTC(2026, 0, 1);
/** Files may be a little ahead, on a network disk. */
const MAX_AHEAD_MS = 60_000;
const NOTHING = 'export default { name: "nothing", onTrigger() {} };';

export async function lookAtMachine(call: Call, home: Home): Promise<Group> {
  return {
    title: "Machine",
    findings: await Promise.all([
      look("program", () => lookAtProgram(call)),
      look("own processes", lookAtProcesses),
      look("clock", () => lookAtClock(home)),
    ]),
  };
}

function lookAtProgram({ version }: Call): Finding {
  const name = "program";
  const kind = Deno.build.standalone ? "binary" : "from source";
  const found =
    `agentd ${version} ${kind} · deno ${Deno.version.deno} · ${Deno.build.os} ${Deno.build.arch}`;
  if (!isOlder(Deno.version.deno, OLDEST_DENO)) return { name, state: "ok", found };
  return { name, state: "broken", found, todo: `It needs Deno ${OLDEST_DENO} or newer.` };
}

/** `2.7.9` is older than `2.7.11`. */
export function isOlder(version: string, than: string): boolean {
  const parts = (text: string) => text.split(/[.+-]/).slice(0, 3).map(Number);
  const [a, b] = [parts(version), parts(than)];
  const at = a.findIndex((n, i) => n !== b[i]);
  return at >= 0 && a[at]! < (b[at] ?? 0);
}

/** Starts an agent that does nothing, in a process of its own. */
async function lookAtProcesses(): Promise<Finding> {
  const name = "own processes";
  if (Deno.build.os !== "linux") {
    const found = `not on ${Deno.build.os}: only built-in agents run here`;
    return { name, state: "absent", found };
  }
  const host = processHost({ maxProcesses: 1, spares: 0 });
  try {
    const source = new TextEncoder().encode(NOTHING);
    const code = { kind: "module", digest: digest(source), source: () => Promise.resolve(source) };
    const began = performance.now();
    await host.start(code as Parameters<typeof host.start>[0], DEFAULT_LIMITS);
    return { name, state: "ok", found: `one started in ${span(performance.now() - began)}` };
  } finally {
    await host.stop();
  }
}

/** No clock of others is asked: it is held against what has been written already. */
function lookAtClock(home: Home): Finding {
  const name = "clock";
  const now = Date.now();
  const found = new Date(now).toISOString().replace(/:\d\d\.\d+Z$/, " UTC").replace("T", " ");
  if (now < EARLIEST_MS) {
    return { name, state: "broken", found, todo: "Set it: it is in the past." };
  }
  const aheadMs = newest(home.dir) - now;
  if (aheadMs <= MAX_AHEAD_MS) return { name, state: "ok", found };
  const todo = `Set it: files in ${home.shown} are ${span(aheadMs)} ahead of it.`;
  return { name, state: "broken", found, todo };
}

/** When something in the directory was last written. */
function newest(dir: string): number {
  try {
    const times = Array.from(
      Deno.readDirSync(dir),
      ({ name }) => Deno.statSync(join(dir, name)).mtime?.getTime() ?? 0,
    );
    return Math.max(0, ...times);
  } catch {
    // Not there yet, not for us, or just changing.
    return 0;
  }
}
