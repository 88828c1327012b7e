/** Sessions in containers over a storage that dies: every command run once, every byte told once, every end heard once, and no container left. */
import type { AgentContext } from "../../../src/core/agent.ts";
import type { ContainerResponse } from "../../../src/core/containers.ts";
import type { Trigger } from "../../../src/core/trigger.ts";
import { codeOf } from "../../../src/fs/error.ts";
import { acted, acting, type Acts } from "../../containers/acts.ts";
import { type Line, lineTo, running, scripted } from "../../containers/engine.ts";
import {
  bytesOf,
  exits,
  type Output,
  PRICE,
  SESSIONS,
  type Status,
} from "../../containers/subject.ts";
import { same } from "../../expect.ts";
import { agent, said, type Scene } from "../../ticks/scene.ts";
import type { Outside, Workload } from "../workload.ts";

const LIMIT = 5_000;

/** What a session of this name prints, and keeps. */
function actsOf(name: string): Acts {
  return [
    { say: `${name}: grün ` },
    { bytes: [0xe2, 0x82] },
    { bytes: [0xac] },
    { keep: "out/file", text: name },
    { say: "!" },
  ];
}

const printed = (name: string) => `${name}: grün €!`;

function request(name: string, more: object = {}) {
  const commands = [acted(actsOf(name)), acted([{ say: name }, { exit: 0 }])];
  return { commands, limits: { max_time_secs: 100 }, files: { in: name }, ...more };
}

async function asking(ctx: AgentContext, trigger: Trigger): Promise<void> {
  if (trigger.type === "event") {
    ctx.state.heard = [...ctx.state.heard ?? [], (trigger.data as { job_id: string }).job_id];
    return;
  }
  const name = said(trigger);
  const { session_id } = await ctx.env.call<{ session_id: string }>(
    "/containers/new",
    request(name),
  );
  ctx.state.sessions = { ...ctx.state.sessions ?? {}, [name]: session_id };
}

/** The same request under one key, said again until it is answered; nothing where it comes too late. */
async function keyed<T>(s: Scene, path: string, order: object): Promise<T | undefined> {
  try {
    return JSON.parse(await s.at("one").call(path, JSON.stringify(order)));
  } catch (error) {
    if (!["interrupted", "not_ready"].includes(codeOf(error))) throw error;
  }
}

const begin = (s: Scene, name: string, more: object) =>
  keyed<{ session_id: string }>(s, "/containers/new", {
    ...request(name),
    idempotency_key: name,
    ...more,
  });

/** A session that is talked to, and stopped. */
async function talk(s: Scene): Promise<void> {
  const session = await begin(s, "talk", { kind: "interactive", commands: [] });
  if (!session) return;
  const at = `${SESSIONS}/${session.session_id}`;
  await keyed(s, `${at}/exec/new`, { command: acted(actsOf("told")), idempotency_key: "told" });
  await s.at("one").call(`${at}/ctl`, "stop");
}

export default (): Workload => {
  const engine = scripted(acting, { price: PRICE });
  let line: Line | undefined;
  const outside: Outside = {
    /** Of each life its own: the one before hears and says nothing any more. */
    get containers() {
      line?.cut();
      return running(line = lineTo(engine));
    },
  };
  return {
    name: "container session",
    outside,
    agents: () => ({ one: agent(asking) }),
    steps: [
      (s) =>
        s.create("one", {
          limits: { retry_ms: [100, 100] },
          budgets: { "/containers": { per_day_micro_usd: LIMIT, approvers: [] } },
        }),
      (s) => s.at("one").send("first", { id: "first" }),
      (s) => begin(s, "built", { kind: "build", artifacts: ["out/*"] }),
      talk,
      (s) => s.at("one").send("last", { id: "last" }),
    ],
    async check(s) {
      const one = s.at("one");
      const { heard = [], sessions = {} } = await one.state() as {
        heard?: string[];
        sessions?: Record<string, string>;
      };
      const ids = await one.names(SESSIONS);
      same(ids.length, 4, "sessions");
      const told: string[] = [];
      for (const id of ids) {
        const at = `${SESSIONS}/${id}`;
        const { status, error } = await one.json<Status>(`${at}/status`);
        same([status, error], ["complete", null], `how ${id} ended`);
        const found = await one.events(`${at}/output`, 0) as unknown as Output[];
        same(found.map(({ seq }) => seq), found.map((_, n) => n + 1), `numbers of ${id}'s events`);
        const text = new TextDecoder().decode(bytesOf(found));
        const { stdout, artifacts } = await one.json<ContainerResponse>(`${at}/result`);
        const commands = (await one.names(`${at}/exec`)).filter((name) => name !== "new");
        if (commands.length > 0) {
          told.push(...commands);
          same([text, exits(found)], [printed("told"), [[commands[0], 0]]], "the command's output");
          continue;
        }
        const name = text.slice(0, text.indexOf(":"));
        same(text, printed(name) + name, `what ${name} printed, each byte once`);
        same([stdout, exits(found)], [text, [[0, 0], [1, 0]]], `what ${name} came to`);
        const paths = artifacts.map(({ path }) => path);
        same(paths, name === "built" ? ["out/file"] : [], `what ${name} has kept`);
        if (name !== "built") same(sessions[name], id, `whose ${name} is`);
        else same(await one.read(`${at}/files/out/file`), name, "the file that is kept");
      }
      same(told.length, 1, "commands that were given");
      same([...heard].sort(), [...ids, ...told].sort(), "ends, each heard once");
      same([...new Set(engine.begun)], engine.begun, "commands, each run once");
      same(engine.begun.length, 7, "commands that were run");
      same([engine.running(), [...engine.held]], [[], []], "containers that are left");
    },
  };
};
