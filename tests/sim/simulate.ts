/** Runs one seed: so many steps, each compared with the naive model, and then all the way to rest. */
import { holds, same } from "../../conformance/expect.ts";
import { type DeadSummary, linesOf } from "../../conformance/ticks/scene.ts";
import { SHOP } from "../../conformance/ticks/shop.ts";
import type { Reservation, UsageReport } from "../../src/core/budget.ts";
import { entries, readJson, readText } from "../../src/fs/use.ts";
import type { Money } from "./money.ts";
import type { EnvelopeId } from "../../src/core/id.ts";
import type { AgentInfo } from "../../src/core/runtime.ts";
import { codeOf } from "../../src/fs/error.ts";
import type { Sight } from "./model.ts";
import { drawStep, type StepName, type Story, take } from "./steps.ts";
import { type Memory, NOTHING } from "./worker.ts";
import { type BackendName, openWorld, type World } from "./world.ts";

export interface Plan {
  readonly seed: number;
  readonly steps: number;
  readonly backend: BackendName;
}

/** What a run was made of. */
export interface Told {
  readonly sent: number;
  readonly ticks: number;
  readonly deaths: number;
  readonly asked: number;
}

/** The one line that repeats a run. */
export function lineOf({ seed, steps, backend }: Plan): string {
  return `deno task sim --seed ${seed} --steps ${steps} --backend ${backend}`;
}

/** Rejects with what was broken, the step in which it was seen, and the line that repeats it. */
export async function simulate(plan: Plan): Promise<Told> {
  const world = await openWorld(plan.seed, plan.backend);
  const story: Story = { world, posts: [], keyed: [], step: 0 };
  const taken: string[] = [];
  try {
    for (; story.step < plan.steps; story.step++) {
      const step = drawStep(story);
      taken.push(step);
      await lived(story, step);
    }
    taken.push("rest");
    const ticks = await rest(story);
    return {
      sent: story.posts.length,
      ticks,
      deaths: world.deaths,
      asked: world.subject.shop.asked.length,
    };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(
      `${why}\n  in step ${story.step}, after ${taken.slice(-8).join(", ")}\n  ${lineOf(plan)}`,
      { cause },
    );
  } finally {
    await world.close();
  }
}

/** A step, as many lives as it takes to look at what came of it. */
async function lived(story: Story, step: StepName): Promise<void> {
  const { world } = story;
  let lives = await world.attempt(() => take(story, step));
  do {
    if (!lives) await world.revive();
    lives = await world.attempt(async () => {
      await world.s.quiet();
      await compare(world);
    });
  } while (!lives);
}

async function compare(world: World): Promise<Map<string, Sight & { readonly money: Money }>> {
  const { ids, model, purses, subject } = world;
  const asked = new Map<string, number>();
  for (const item of subject.shop.asked) asked.set(item, (asked.get(item) ?? 0) + 1);
  // An agent that sleeps wakes when it is looked at, and may find that something is due.
  await world.s.answer(() =>
    Promise.all(ids.map(async (id) => readText(await world.s.at(id).files(), "/status")))
  );
  const seen = await world.s.answer(() => Promise.all(ids.map((id) => look(world, id))));
  const sights = new Map(seen.map((sight, n) => [ids[n]!, sight]));
  model.compare(sights, world.clock.latest);
  for (const [id, { memory, money }] of sights) purses.get(id)!.compare(money, memory, asked);
  return sights;
}

async function look({ s }: World, id: string): Promise<Sight & { readonly money: Money }> {
  const files = await s.at(id).files();
  const [state, names, outbox, letters, kv, file, ledger, usage] = await Promise.all([
    readJson<Partial<Memory>>(files, "/state"),
    Array.fromAsync(entries(files, "/inbox")),
    readText(files, "/outbox"),
    readJson<DeadSummary[]>(files, "/deadletter/list"),
    orNothing(() => readText(files, "/kv/n")),
    orNothing(() => readText(files, "/files/n")),
    readText(files, "/budget/ledger"),
    readJson<UsageReport>(files, `${SHOP}/usage`),
  ]);
  const events = linesOf(outbox);
  const replies = events.filter(({ type }) => type === "reply");
  return {
    memory: { ...NOTHING, ...state },
    waiting: names.map(({ name }) => WAITING.exec(name)?.[1]).filter((name) => name !== undefined),
    letters: letters.map(({ id, reason, last_error }) => ({
      id,
      reason,
      code: last_error?.code,
      message: last_error?.message,
    })),
    replies: replies.map(({ envelope_id }) => String(envelope_id)),
    counts: [Number(kv), Number(file), events.length - replies.length],
    money: { lines: linesOf(ledger) as unknown as Reservation[], usage },
  };
}

/** `<n>-<envelope id>.json` */
const WAITING = /^\d{12}-(.+)\.json$/;

async function orNothing(read: () => Promise<string>): Promise<string> {
  try {
    return await read();
  } catch (error) {
    if (codeOf(error) === "not_found") return "0";
    throw error;
  }
}

const HOUR_MS = 3_600_000;
/** Agents that fail again are resumed again. */
const MOST_ROUNDS = 200;
/** Longer than all tries of one envelope. */
const ROUND_MS = 300_000;

/** Every door opens, every agent goes on, the clock overtakes every alarm: then nothing is left to do. Answers the ticks. */
async function rest({ world, posts }: Story): Promise<number> {
  const { s, ids, subject } = world;
  world.calm();
  await world.revive();
  world.gate.open();
  subject.shop.open();
  // However far the clock was set back, alarms are not far behind the latest time that it has told.
  await s.advance(world.clock.latest - world.clock.now() + HOUR_MS);
  for (let round = 0;; round++) {
    holds(round < MOST_ROUNDS, "there is no end");
    for (const id of ids) await s.at(id).control("resume");
    await s.advance(ROUND_MS);
    const infos = await Promise.all(ids.map((id) => s.info(id)));
    if (infos.every(isIdle)) break;
  }
  const sights = await compare(world);
  world.model.end(sights);
  for (const [id, { money }] of sights) world.purses.get(id)!.end(money);
  await answered(world, sights, posts);
  for (const [id, { letters }] of sights) {
    for (const letter of letters) {
      world.model.parts.get(id)!.leaving.add(letter.id);
      await s.at(id).dead(`discard ${letter.id}`);
    }
  }
  await compare(world);
  await nothingLeft(world);
  return [...sights.values()].reduce((sum, { memory }) => sum + memory.n, 0);
}

function isIdle({ queue_depth, next_alarm, state }: AgentInfo): boolean {
  return queue_depth === 0 && next_alarm === null && state !== "failed";
}

/** So many of those who were told that they were taken wait for their replies. */
const WAITERS = 5;

async function answered(
  { s, model, chance }: World,
  sights: ReadonlyMap<string, Sight>,
  posts: Story["posts"],
): Promise<void> {
  for (let n = 0; n < Math.min(WAITERS, posts.length); n++) {
    const { id, to } = chance.pick(posts);
    if (!sights.get(to)!.memory.done.some(([envelope]) => envelope === id)) continue;
    const { tick, replies } = await s.at(to).wait(id as EnvelopeId);
    same([tick.success, replies.length], [true, model.parts.get(to)!.sent.get(id)!.replies], id);
  }
}

/** Effects whose end nobody knows stay for people to resolve. */
const UNKNOWN = "open/journal/";
const WORK = /^(inbox|send|try|retry|alarm|alarmid|draft|dead|open|call|pending)\//;

/** No row of work is left when all is quiet. */
async function nothingLeft({ ids, subject }: World): Promise<void> {
  for (const id of ids) {
    const rows = await subject.backend.storage(id).list({ prefix: "" });
    const left = rows.map(({ key }) => key)
      .filter((key) => WORK.test(key) && !key.startsWith(UNKNOWN));
    same(left, [], `${id}: rows of work that are left`);
  }
}
