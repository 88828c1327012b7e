/**
 * Crash points: a backend dies at its n-th touch, before or after that touch took effect, and stays dead; whoever begins again on what was committed
 * must come to the same end as if nothing had happened. Tried for every n, this finds the commit that stands between two others.
 */
import type { AgentContext } from "../src/core/agent.ts";
import type { AgentId, EnvelopeId } from "../src/core/id.ts";
import type { Backend } from "../src/core/backend.ts";
import type { Trigger } from "../src/core/trigger.ts";
import { codeOf } from "../src/fs/error.ts";
import { holds, same } from "./expect.ts";
import type { Subject } from "./law.ts";
import { agent, said, type Scene, stage } from "./ticks/scene.ts";
import type { Agents, TickSubject } from "./ticks/subject.ts";

/** Is the touch at which the backend dies still done? */
export type When = "before" | "after";

export interface Crashing {
  readonly backend: Backend;
  /** Touches so far. */
  readonly touches: number;
  readonly dead: boolean;
}

/** Touches are counted from 1; with `at` 0 it never dies. Nothing that a dead backend was asked is ever answered, and its timers do not fire. */
export function crashing(backend: Backend, at: number, when: When): Crashing {
  let touches = 0;
  let dead = false;
  function touch<T>(run: () => Promise<T>): Promise<T> {
    if (dead) return new Promise<T>(() => {});
    if (++touches !== at) {
      return new Promise<T>((resolve, reject) => {
        run().then((answer) => dead || resolve(answer), (error) => dead || reject(error));
      });
    }
    dead = true;
    if (when === "after") run().catch(() => {});
    return new Promise<T>(() => {});
  }
  return {
    get touches() {
      return touches;
    },
    get dead() {
      return dead;
    },
    backend: {
      storage(owner) {
        const storage = backend.storage(owner);
        return {
          get: (key) => touch(() => storage.get(key)),
          list: (range) => touch(() => storage.list(range)),
          commit: (batch) => touch(() => storage.commit(batch)),
        };
      },
      owners: (range) => touch(() => backend.owners(range)),
      drop: (owner) => touch(() => backend.drop(owner)),
      find: (query) => touch(() => backend.find(query)),
      now: () => backend.now(),
      random: (bytes) => backend.random(bytes),
      timer: (delayMs, fire) => backend.timer(delayMs, () => dead || fire()),
    },
  };
}

/** Something to do, that can be done again from its beginning without harm, and what must be so in the end. */
export interface Workload {
  readonly name: string;
  readonly agents: () => Agents;
  /** Each is done when its answer is there. */
  readonly steps: readonly ((s: Scene) => Promise<unknown>)[];
  /** Compared with the naive model: what a run that never crashed leaves. */
  readonly check: (s: Scene, subject: TickSubject) => Promise<void>;
}

/** Where one run dies: the touches in its first life, in its second, and so on; the last life goes to the end. */
export type Deaths = readonly { readonly at: number; readonly when: When }[];

/** Makes a subject whose lives die so; `life` is told each one's backend. */
export type Mortal = (
  spoil: (backend: Backend) => Backend,
) => Subject<TickSubject>;

/** Runs the workload through these deaths and to its end. Answers how many touches the last life but one would have needed; rejects when the end is wrong. */
export async function through(
  workload: Workload,
  deaths: Deaths,
  mortal: Mortal,
): Promise<{ readonly died: boolean; readonly touches: number }> {
  let life = 0;
  let current: Crashing | undefined;
  const opened = await mortal((backend) => {
    const death = deaths[life++] ?? { at: 0, when: "before" };
    current = crashing(backend, death.at, death.when);
    return current.backend;
  }).open();
  const { subject } = opened;
  let died = false;
  let touches = 0;
  try {
    for (let n = 0; n <= deaths.length; n++) {
      const last = n === deaths.length;
      const s = await living(subject, workload, n === 0, () => current!.dead);
      if (s) {
        for (const step of workload.steps) {
          try {
            await step(s);
          } catch (error) {
            if (!current!.dead) throw error;
            break;
          }
        }
        await subject.clock.advance(last ? END_MS : MIDDLE_MS);
      }
      if (!last) {
        died = current!.dead;
        touches = current!.touches;
        continue;
      }
      holds(s, "the last life begins");
      await workload.check(s, subject);
    }
    return { died, touches };
  } finally {
    await opened.close();
  }
}

/** Long enough for all retries and alarms of a workload. */
const END_MS = 120_000;
/** Long enough for some of them. */
const MIDDLE_MS = 1_500;

/** Undefined: it died at its start. */
async function living(
  subject: TickSubject,
  workload: Workload,
  first: boolean,
  dead: () => boolean,
): Promise<Scene | undefined> {
  try {
    if (first) return await stage(subject, workload.agents());
    const start = { value: () => subject.restart("crash") };
    return await stage(Object.create(subject, { start }), {});
  } catch (error) {
    if (dead()) return undefined;
    throw error;
  }
}

/** All that a message does, each thing a count of the same. */
async function count(ctx: AgentContext, text: string): Promise<void> {
  const n: number = (ctx.state.count ?? 0) + 1;
  ctx.state.count = n;
  ctx.state.heard = [...ctx.state.heard ?? [], text];
  await ctx.kv.set("count", n);
  await ctx.kv.set(`heard-${n}`, text);
  await ctx.env.append("/files/log", `${n}\n`);
  await ctx.env.write(`/goals/g${n}.json`, { description: text });
  await ctx.reply(n);
  await ctx.broadcast("counted", n);
  await ctx.send("two", n);
  await ctx.alarm(1_000, n);
  await ctx.markSeen(`mark ${n}`);
}

async function counting(ctx: AgentContext, trigger: Trigger): Promise<void> {
  const text = said(trigger).slice(0, 20);
  if (trigger.type === "alarm") {
    ctx.state.rang = [...ctx.state.rang ?? [], trigger.payload as number];
    return;
  }
  if (trigger.type !== "message") return;
  await count(ctx, text);
  if (text === "fails once" && ctx.tick.attempt === 1) throw new Error("once");
  if (text === "fails") throw new Error("always");
}

const remembering = agent((ctx, trigger) => {
  if (trigger.type === "message") ctx.state.heard = [...ctx.state.heard ?? [], said(trigger)];
});

const numbers = (count: number) => Array.from({ length: count }, (_, i) => i + 1);

/** What `counting` leaves after so many messages that committed: every count is the same count. */
async function checkCounts(s: Scene, want: readonly string[]): Promise<void> {
  const one = s.at("one");
  const state = await one.state() as { count: number; heard: string[]; rang: number[] };
  const n = want.length;
  same([...state.heard].sort(), [...want].sort(), "what was heard, each once");
  same(state.count, n, "the count in the state");
  same(await one.json("/kv/count"), n, "the count in KV");
  for (const [i, text] of state.heard.entries()) {
    same(await one.json(`/kv/heard-${i + 1}`), text, `what KV keeps of ${i + 1}`);
  }
  same(await one.read("/files/log"), numbers(n).map((i) => `${i}\n`).join(""), "the file");
  same((await one.names("/goals")).length, n, "goals");
  const outbox = await one.events("/outbox");
  const replies = outbox.filter(({ type }) => type === "reply").map(({ payload }) => payload);
  same(replies, numbers(n).map((data) => ({ kind: "json", data })), "replies");
  const events = outbox.filter(({ type }) => type === "event").map(({ data }) => data);
  same(events, numbers(n), "events");
  same(outbox.map(({ seq }) => seq), numbers(2 * n), "numbers of events");
  same([...state.rang ?? []].sort((a, b) => a - b), numbers(n), "alarms that rang, each once");
  const two = await s.at("two").state() as { heard?: string[] };
  same(
    two.heard ?? [],
    numbers(n).map(String),
    "messages to another agent, each once and in order",
  );
}

async function checkNothingLeft(s: Scene, subject: TickSubject): Promise<void> {
  for (const { id } of await s.answer(() => s.runtime.list({}))) {
    const rows = await subject.backend.storage(id).list({ prefix: "" });
    const left = rows.map(({ key }) => key)
      .filter((key) => /^(inbox|send|try|retry|alarm|alarmid|draft|blob)\//.test(key));
    same(left, [], `rows of work that are left of ${id}`);
  }
  const open = await subject.backend.storage("@registry").list({ prefix: "open/" });
  same(open.map(({ key }) => key), [], "agents that are half made or half ended");
}

/** The order in which one sender's messages were heard. */
function inOrder(heard: readonly string[], sent: readonly string[]): void {
  same(heard.filter((text) => sent.includes(text)), sent, "one sender's messages, in order");
}

/** So much that it is kept in chunks while it waits. */
const LARGE = "large ".repeat(20_000);
const HEARD_OF_LARGE = LARGE.slice(0, 20);

/** Deliveries: with an id and without, again and at once, small and large, of several senders. */
export const sending: Workload = {
  name: "send",
  agents: () => ({ one: agent(counting), two: remembering }),
  steps: [
    (s) => s.create("two"),
    (s) => s.create("one", { limits: { retry_ms: [1_000, 1_000] } }),
    (s) => s.at("one", "ann").send("a", { id: "a" }),
    (s) => s.at("one", "ann").send("b", { id: "b" }),
    (s) => s.at("one", "ann").send("a", { id: "a" }),
    (s) =>
      s.answer(() =>
        Promise.all([
          s.at("one", "ann").sending("c", { id: "c" }),
          s.at("one", "ann").sending("c", { id: "c" }),
          s.at("one", "bob").sending("d", { id: "d" }),
        ])
      ),
    async (s) => {
      try {
        await s.at("one", "ann").send("not a", { id: "a" });
      } catch (error) {
        if (codeOf(error) !== "conflict") throw error;
      }
    },
    (s) => s.at("one", "bob").send(LARGE, { id: "large" }),
    (s) => s.at("one", "ann").send("e", { id: "e" }),
  ],
  async check(s, subject) {
    await checkCounts(s, ["a", "b", "c", "d", HEARD_OF_LARGE, "e"]);
    const heard = await heardBy(s, "one");
    inOrder(heard, ["a", "b", "c", "e"]);
    inOrder(heard, ["d", HEARD_OF_LARGE]);
    for (const id of ["a", "c", "large"]) {
      const { replies } = await s.at("one").wait(id as EnvelopeId);
      same(replies.length, 1, `replies to ${id}`);
    }
    await checkNothingLeft(s, subject);
  },
};

/** A delivery without an id, whose sender cannot say it again: taken once, or not at all if nobody said that it was. */
export function anonymous(): Workload {
  let taken = 0;
  let tried = 0;
  return {
    name: "send without an id",
    agents: () => ({ one: agent(counting), two: remembering }),
    steps: [
      (s) => s.create("two"),
      (s) => s.create("one"),
      ...["a", "b", "c"].map((text) => async (s: Scene) => {
        tried++;
        await s.at("one").send(text);
        taken++;
      }),
    ],
    async check(s, subject) {
      const heard = await heardBy(s, "one");
      holds(heard.length >= taken, `${taken} were accepted, ${heard.length} were ticked`);
      holds(heard.length <= tried, `${tried} were sent, ${heard.length} were ticked`);
      await checkCounts(s, heard);
      await checkNothingLeft(s, subject);
    },
  };
}

/** Ticks: every kind of effect, failures, dead letters, sleep, a full inbox, lives that begin and end. */
export const ticking: Workload = {
  name: "tick",
  agents: () => ({
    one: agent(counting, {
      onWake: (ctx) => void (ctx.state.wakes = (ctx.state.wakes ?? 0) + 1),
      onSleep: (ctx) => ctx.kv.set("slept", true),
    }),
    two: remembering,
    drops: remembering,
    gone: agent(async (ctx) => {
      await ctx.kv.set("ticked", true);
      await ctx.alarm(1_000, "nobody hears it");
    }, { onCreate: (ctx) => ctx.kv.set("made", true) }),
  }),
  steps: [
    (s) => s.create("two"),
    (s) => s.create("one", { limits: { retry_ms: [1_000, 1_000] } }),
    (s) => s.at("one", "ann").send("a", { id: "a" }),
    (s) => s.at("one", "ann").send("fails once", { id: "once" }),
    (s) => s.at("one", "bob").send("fails", { id: "fails" }),
    (s) => s.at("one", "ann").send("b", { id: "b" }),
    (s) => s.advance(1_000),
    (s) => s.at("one").control("hibernate"),
    (s) => s.at("one").send("c", { id: "c" }),
    (s) => s.at("one").tick(),
    (s) => s.create("drops"),
    (s) => s.at("drops").overflow({ max_depth: 2, policy: "drop_oldest" }),
    (s) => s.at("drops").control("pause"),
    ...["1", "2", "3"].map((text) => (s: Scene) =>
      s.at("drops").send(text, { id: `drop-${text}` })
    ),
    (s) => s.create("gone"),
    (s) => s.at("gone").send("farewell", { id: "farewell" }),
    async (s) => {
      try {
        await s.delete("gone");
      } catch (error) {
        if (codeOf(error) !== "not_found") throw error;
      }
    },
  ],
  async check(s, subject) {
    await checkCounts(s, ["a", "fails once", "b", "c"]);
    const one = s.at("one");
    inOrder(await heardBy(s, "one"), ["a", "fails once", "b"]);
    same((await one.letters()).map(({ id, tries }) => [id, tries]), [["fails", 3]], "dead letters");
    await s.at("drops").control("resume");
    same(await heardBy(s, "drops"), ["2", "3"], "what a full inbox kept");
    const agents = (await s.answer(() => s.runtime.list({}))).map(({ id }) => id);
    same(agents, ["drops", "one", "two"] as AgentId[], "agents");
    const owners = await subject.backend.owners({ limit: 100 });
    same(owners.includes("gone"), false, "rows are left of the one that has ended");
    await checkNothingLeft(s, subject);
  },
};

/** Messages between agents: to one that is full, to nobody, to itself, and answers to them. */
export const messaging: Workload = {
  name: "messages",
  agents: () => ({
    ann: agent(async (ctx, trigger) => {
      if (trigger.type === "event") ctx.state.lost = [...ctx.state.lost ?? [], trigger.event];
      if (trigger.type !== "message") return;
      ctx.state.heard = [...ctx.state.heard ?? [], `${trigger.from} ${trigger.text}`];
      if (trigger.from.startsWith("http:")) {
        for (const n of [1, 2]) await ctx.send("full", `${trigger.text} ${n}`);
        await ctx.send("nobody", trigger.text);
        await ctx.send("ann", trigger.text);
      }
    }),
    full: agent(async (ctx, trigger) => {
      ctx.state.heard = [...ctx.state.heard ?? [], said(trigger)];
      await ctx.reply(`thanks for ${said(trigger)}`);
    }),
  }),
  steps: [
    (s) => s.create("full"),
    (s) => s.at("full").overflow({ max_depth: 1 }),
    (s) => s.at("full").control("pause"),
    (s) => s.create("ann"),
    (s) => s.at("ann", "me").send("a", { id: "a" }),
    (s) => s.at("ann", "me").send("b", { id: "b" }),
    (s) => s.advance(2_500),
    (s) => s.at("full").control("resume"),
  ],
  async check(s, subject) {
    const sent = ["a 1", "a 2", "b 1", "b 2"];
    same(await heardBy(s, "full"), sent, "what the full one heard, each once and in order");
    const { heard, lost } = await s.at("ann").state() as { heard: string[]; lost: string[] };
    same(lost, ["undeliverable", "undeliverable"], "what could not arrive");
    const from = (who: string) => heard.filter((text) => text.startsWith(who));
    same(from("http:me"), ["http:me a", "http:me b"], "heard from outside");
    same(from("ann"), ["ann a", "ann b"], "heard from itself");
    same(
      from("full"),
      sent.map((text) => `full thanks for ${text}`),
      "answers, each once and in order",
    );
    await checkNothingLeft(s, subject);
  },
};

async function heardBy(s: Scene, id: string): Promise<string[]> {
  const { heard = [] } = await s.at(id).state() as { heard?: string[] };
  return heard;
}
