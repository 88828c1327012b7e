/** `agentd apply -f agents.yaml`: shows what differs between the agents and the file, asks, and makes the agents match. */
import { dirname, relative, resolve } from "node:path";
import type { Json } from "../core/envelope.ts";
import type { Limits } from "../core/agent.ts";
import type { DirectoryMount } from "../core/provider.ts";
import type { Access } from "../core/view.ts";
import type { Client } from "../http/client.ts";
import { retold } from "../fs/error.ts";
import { writeText } from "../fs/use.ts";
import { type Action, answer, type Call, option, printJson, withProgress } from "./call.ts";
import { EXIT, exitOf, lineOf, trouble, usage } from "./exit.ts";
import { type FleetEntry, parseFleet } from "./fleet.ts";
import { type Code, mustBeCreated, type Plan, planOf, type Step } from "./fleet_plan.ts";
import { addGoal } from "./goals.ts";
import { clip, count, inline, safeLine } from "./print.ts";

const SOURCE = /[/\\]|\.[mc]?[jt]sx?$/;
/** Values are shown so long. */
const SHOWN_COLUMNS = 60;

export const apply: Action = async (call) => {
  const path = option<string>(call, "file");
  if (path === undefined) throw usage("Which file?", `${call.program} apply -f agents.yaml`);
  const dryRun = option(call, "dryRun") === true;
  const yes = option(call, "yes") === true;
  if (dryRun && yes) throw usage("--dry-run and --yes exclude each other");
  const shown = path === "-" ? "standard input" : path;
  const dir = path === "-" ? call.cwd : resolve(call.cwd, dirname(path));
  const fleet = parseFleet(await textOf(call, path), shown, dir);
  const server = call.server();
  const codeOf = bundles(dir);
  const prune = option(call, "prune") === true;
  const planning = planOf({ server, fleet, codeOf, prune });
  const plan = await withProgress(call, "comparing", planning);
  if (plan.faults.length > 0) {
    const [first, ...more] = plan.faults;
    const others = more.length > 0 ? `; and ${count(more.length, "other")} like it` : "";
    throw trouble(EXIT.failed, `${first}${others}`, "Nothing was changed.");
  }
  if (!call.json) show(call, plan);
  if (dryRun || plan.steps.length === 0) {
    if (call.json) printJson(call, { plan: planJson(plan), applied: false });
    return;
  }
  if (!yes) await mustAgree(call, plan);
  await perform(call, server, plan);
};

async function textOf(call: Call, path: string): Promise<string> {
  if (path === "-") return await new Response(call.terminal.input).text();
  try {
    return await Deno.readTextFile(resolve(call.cwd, path));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      throw trouble(EXIT.notFound, `There is no file ${path}`);
    }
    throw trouble(EXIT.failed, `Cannot read ${path}: ${(error as Error).message}`);
  }
}

/** Source files are bundled once, however many agents are made of them. */
function bundles(dir: string): (agent: string) => Promise<Code | undefined> {
  const made = new Map<string, Promise<Code>>();
  return async (agent) => {
    if (!SOURCE.test(agent)) return undefined;
    const file = resolve(dir, agent);
    let code = made.get(file);
    if (!code) made.set(file, code = bundled(file));
    return await code;
  };
}

async function bundled(file: string): Promise<Code> {
  const { bundle } = await import("./bundle.ts");
  const { code, digest } = await bundle(relative(Deno.cwd(), file) || file);
  return { code, digest };
}

function show(call: Call, { steps, unchanged }: Plan): void {
  const { paint, print } = call.terminal;
  for (const step of steps) {
    switch (step.kind) {
      case "create":
        print(`${paint("green", "+")} ${paint("bold", step.id)}   ${createWords(step.entry)}`);
        break;
      case "change":
        print(`${paint("yellow", "~")} ${paint("bold", step.id)}`);
        for (const { field, from, to } of step.differences) {
          const now = from === null && field === "goals" ? "" : `${shown(from)} → `;
          print(`    ${field}: ${now}${shown(to)}`);
        }
        break;
      case "delete":
        print(
          `${paint("red", "-")} ${paint("bold", step.id)}   ` +
            `${safeLine(step.info.agent)} · ${count(step.info.tick_count, "tick")}, for good`,
        );
    }
  }
  if (steps.length === 0) print("Nothing differs.");
  else if (unchanged.length > 0) print(paint("dim", `  ${unchanged.length} unchanged`));
}

function createWords(entry: FleetEntry): string {
  const { agent, goals, mounts, limits, budgets, autonomy, paused } = entry;
  return [
    safeLine(agent),
    ...(goals?.length ? [count(goals.length, "goal")] : []),
    ...(mounts ? [count(Object.keys(mounts).length, "mount")] : []),
    ...(limits ? ["limits"] : []),
    ...(autonomy ? [autonomy] : []),
    ...(budgets ? [count(Object.keys(budgets).length, "budget")] : []),
    ...(paused ? ["paused"] : []),
  ].join(" · ");
}

function shown(value: Json): string {
  if (value === null) return "none";
  const dir = value as Partial<DirectoryMount>;
  // What differs of a directory is mostly how far an agent may go there.
  const text = dir.type === "dir" ? `${dir.access} ${dir.path}` : inline(value);
  return clip(safeLine(text), SHOWN_COLUMNS);
}

async function mustAgree(call: Call, { steps }: Plan): Promise<void> {
  if (!call.terminal.canAsk || call.json) {
    throw usage(
      `${count(steps.length, "agent")} would change`,
      "Say --yes to go on without being asked, or --dry-run to look only.",
    );
  }
  const gone = steps.filter(({ kind }) => kind === "delete").length;
  const warning = gone > 0 ? `, ${gone} of them deleted for good` : "";
  const said = await call.terminal.ask(`Change ${count(steps.length, "agent")}${warning}? [y/N] `);
  if (!/^y(?:es)?$/i.test(said.trim())) throw trouble(EXIT.failed, "Nothing was changed");
}

/**
 * One step after the other. What fails does not keep the rest from being done, unless the server lets us do nothing at all; but nothing is deleted
 * before all that was to take its place is there.
 */
async function perform(call: Call, server: Client, plan: Plan): Promise<void> {
  const done: string[] = [];
  const failed: { id: string; error: unknown }[] = [];
  for (const [n, step] of plan.steps.entries()) {
    if (step.kind === "delete" && failed.length > 0) break;
    const text = `${n + 1} of ${plan.steps.length}: ${step.id}`;
    try {
      await withProgress(call, text, performed(server, step));
      done.push(step.id);
      if (!call.json && !call.quiet) call.terminal.print(`${step.id} ${DONE[step.kind]}`);
    } catch (thrown) {
      const error = named(thrown, step);
      failed.push({ id: step.id, error });
      const exit = exitOf(error);
      if (exit === EXIT.refused || exit === EXIT.unreachable) break;
    }
  }
  const faults = failed.map(({ id, error }) => ({ id, error: lineOf(error) }));
  answer(call, { plan: planJson(plan), applied: true, done, failed: faults }, () => []);
  if (failed.length === 0) return;
  if (failed.length === 1 && plan.steps.length === 1) throw failed[0]!.error;
  if (!call.json) {
    for (const { error } of faults) {
      call.terminal.note(`${call.terminal.paintNote("red", "failed:")} ${error}`);
    }
  }
  throw trouble(
    EXIT.failed,
    `${plan.steps.length - done.length} of ${
      count(plan.steps.length, "agent")
    } not as the file says`,
    "What was done stands; apply the file again for the rest.",
  );
}

const DONE = { create: "created", change: "changed", delete: "deleted" } as const;

/** By the agent, and not by the server's path for it. */
function named(error: unknown, { kind, id }: Step): unknown {
  return (error as { name?: string }).name === "FileError" ? retold(error, kind, id) : error;
}

async function performed(server: Client, step: Step): Promise<void> {
  if (step.kind === "create") return await create(server, step);
  if (step.kind === "delete") return await server.delete(step.id);
  const { id, change, deploy, goals, word } = step;
  if (word === "pause") await server.control(id, word);
  if (change) await server.configure(id, change);
  const files = server.files(id);
  if (deploy) await writeText(files, "/code", deploy.code);
  for (const goal of goals) await addGoal(files, goal);
  if (word === "resume") await server.control(id, word);
}

async function create(server: Client, step: Extract<Step, { kind: "create" }>): Promise<void> {
  const { id, entry, code } = step;
  const { paused, agent, mounts = {}, limits, budgets = {}, ...rest } = entry;
  type Mount = Access | DirectoryMount;
  const isMounted = (mount: [string, Mount | null]): mount is [string, Mount] => mount[1] !== null;
  const { created } = await server.create({
    id,
    ...rest,
    agent: code ?? agent,
    mounts: Object.fromEntries(Object.entries(mounts).filter(isMounted)),
    budgets: Object.fromEntries(
      Object.entries(budgets).flatMap(([mount, policy]) =>
        policy ? [[mount, { approvers: [], ...policy }]] : []
      ),
    ),
    // The server fills in what a part of them leaves out.
    ...(limits === undefined ? {} : { limits: limits as Partial<Limits> }),
  });
  mustBeCreated(id, created);
  // A create says how far an agent may go; to have something not at all is a change.
  if (Object.values(mounts).includes(null)) await server.configure(id, { mounts });
  if (paused) await server.control(id, "pause");
}

/** Without the code, which would be most of it. */
function planJson({ steps, unchanged }: Plan) {
  return {
    steps: steps.map((step) => {
      switch (step.kind) {
        case "create":
          return { kind: step.kind, id: step.id, ...step.entry };
        case "change":
          return { kind: step.kind, id: step.id, differences: step.differences };
        case "delete":
          return { kind: step.kind, id: step.id };
      }
    }),
    unchanged,
  };
}
