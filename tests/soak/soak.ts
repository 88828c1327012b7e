/** The real program, killed by SIGKILL over and over under load, and what is found of what it had said: lost, doubled, over budget. */
import { DatabaseSync } from "node:sqlite";
import { agentId } from "../../src/core/id.ts";
import type { Reservation, UsageReport } from "../../src/core/budget.ts";
import { type Client, connect } from "../../src/http/client.ts";
import { entries, readJson, readText } from "../../src/fs/use.ts";
import type { DeadSummary } from "../../conformance/ticks/scene.ts";
import { inPlace, type Place, type Served } from "../e2e/server.ts";
import { type Chance, chanceOf } from "../sim/chance.ts";
import { COST, MODEL, openSeller, PRICE, type Seller } from "./seller.ts";
import { makeSenders, type Senders } from "./senders.ts";
import { SOURCE, type Thing } from "./soaked_agent.ts";

export interface Plan {
  readonly seed: number;
  readonly kills: number;
  /** Told after each kill. */
  readonly onKill?: (n: number, accepted: number) => void;
}

export interface Told {
  readonly kills: number;
  /** Of those, before the server said that it serves. */
  readonly early: number;
  readonly accepted: number;
  /** Said again after a kill, and known. */
  readonly known: number;
  readonly messages: number;
  readonly alarms: number;
  readonly jobs: number;
  readonly interrupted: number;
  readonly refused: number;
  readonly asked: number;
  readonly integrityChecks: number;
  /** Dead letters. None is expected: every try that fails here is made again. */
  readonly givenUp: readonly string[];
  /** What was promised and is not there, and what was done more often than it may be. All empty, or the promise is broken. */
  readonly lost: readonly string[];
  readonly doubled: readonly string[];
  readonly overBudget: readonly string[];
  readonly damaged: readonly string[];
}

const AGENTS = ["a0", "a1", "a2", "a3"].map(agentId);
/** The secret by which the seller is asked; it takes any. */
const KEY = "SELLER_KEY";
const CONNECTIONS = 16;
/** So many sends are taken before a kill, at the most. */
const MAX_ACKS = 120;
/** A kill in the server's start comes within so many milliseconds: the start has no events to go by. */
const START_MS = 700;
const LIMITS = {
  // A try that a kill cuts off counts as a failed one.
  retry_ms: Array.from({ length: 100 }, () => 100),
  max_consecutive_failures: 1_000_000,
};
/** About half of what is asked for can be had. */
const BUDGET_A_KILL = 50;

/** Rejects only where it cannot go on; what is broken is told. */
export async function soak({ seed, kills, onKill }: Plan): Promise<Told> {
  await using seller = openSeller();
  const chance = chanceOf(seed);
  const senders = makeSenders(chance, AGENTS, CONNECTIONS);
  const limit = 500 + BUDGET_A_KILL * kills;
  let told: Told | undefined;
  await inPlace(async (place) => {
    await prepare(place, seller);
    const overBudget: string[] = [];
    const damaged: string[] = [];
    let early = 0;
    let served: Served | undefined = await serve(place);
    await place.run(["secret", "set", KEY, "--mount", "/compute"], { input: "sk-soak" });
    await makeAgents(await clientOf(place, served), limit);
    await untilSold(await clientOf(place, served));
    for (let n = 1; n <= kills; n++) {
      const hurried = n > 1 && chance.percent(10);
      if (hurried) {
        early++;
        await killedInStart(place, chance);
      } else {
        served ??= await serve(place);
        const client = await clientOf(place, served);
        overBudget.push(...await spentTooMuch(client, limit, n));
        const { kill } = served;
        await senders.load(client, chance.percent(10) ? 0 : 1 + chance.below(MAX_ACKS), kill);
      }
      served = undefined;
      damaged.push(...(await faultsIn(place)).map((fault) => `after kill ${n}: ${fault}`));
      onKill?.(n, senders.accepted.size);
    }
    served = await serve(place);
    const client = await clientOf(place, served);
    await senders.rest(client);
    await untilQuiet(client);
    overBudget.push(...await spentTooMuch(client, limit, kills));
    const end = await account(client, senders, seller, limit);
    const { code, err } = await served.stop();
    if (code !== 0) throw new Error(`it did not stop well: ${code} ${err}`);
    damaged.push(...await faultsIn(place));
    told = {
      ...end,
      kills,
      early,
      accepted: senders.accepted.size,
      known: senders.known,
      integrityChecks: kills + 1,
      overBudget: [...overBudget, ...end.overBudget],
      damaged,
    };
  });
  return told!;
}

async function prepare(place: Place, seller: Seller): Promise<void> {
  await Deno.mkdir(`${place.dir}/.agentd`);
  const cloud = [{ id: "seller", url: seller.url, secret: KEY, prices: { [MODEL]: PRICE } }];
  const settings = { compute: { discover: false, cloud } };
  await Deno.writeTextFile(`${place.dir}/.agentd/agentd.json`, JSON.stringify(settings));
}

function serve(place: Place): Promise<Served> {
  return place.serve(["serve", "--listen", "127.0.0.1:0"]);
}

async function clientOf(place: Place, { url }: Served): Promise<Client> {
  const token = (await Deno.readTextFile(`${place.dir}/.agentd/token`)).trim();
  return connect({ url, token });
}

async function makeAgents(client: Client, limit: number): Promise<void> {
  for (const id of AGENTS) {
    await client.create({
      id,
      agent: { code: SOURCE },
      limits: LIMITS,
      budgets: { "/compute": { per_day_micro_usd: limit, approvers: [] } },
    });
  }
}

/** The seller is looked at in the background, once its key is there. */
async function untilSold(client: Client): Promise<void> {
  const files = client.files(AGENTS[0]!);
  for (let status = ""; status !== "up";) {
    ({ status } = await readJson<{ status: string }>(files, "/compute/providers/seller/health"));
  }
}

async function killedInStart(place: Place, chance: Chance): Promise<void> {
  const running = place.start(["serve", "--listen", "127.0.0.1:0"]);
  await new Promise((resolve) => setTimeout(resolve, chance.below(START_MS)));
  running.kill("SIGKILL");
  await running.ended;
}

/** What SQLite finds wrong in a copy of the files as the kill has left them; the server finds them as they were. */
async function faultsIn(place: Place): Promise<string[]> {
  const copy = await Deno.makeTempDir({ prefix: "agentd-soak-" });
  try {
    for (const name of ["agentd.db", "agentd.db-wal"]) {
      await Deno.copyFile(`${place.dir}/.agentd/${name}`, `${copy}/${name}`).catch((error) => {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      });
    }
    const db = new DatabaseSync(`${copy}/agentd.db`);
    try {
      return db.prepare("PRAGMA integrity_check").all().map((row) => String(Object.values(row)[0]))
        .filter((line) => line !== "ok");
    } finally {
      db.close();
    }
  } catch (error) {
    return [(error as Error).message];
  } finally {
    await Deno.remove(copy, { recursive: true });
  }
}

async function spentTooMuch(client: Client, limit: number, n: number): Promise<string[]> {
  const over: string[] = [];
  for (const id of AGENTS) {
    const { day } = await readJson<UsageReport>(client.files(id), "/compute/usage");
    const held = day.spent_micro_usd + day.reserved_micro_usd;
    if (held > limit) over.push(`${id} held ${held} of ${limit} before kill ${n}`);
  }
  return over;
}

/** Nothing waits, no alarm is set, no money is held. */
async function untilQuiet(client: Client): Promise<void> {
  const isQuiet = async (id: typeof AGENTS[number]) => {
    const { queue_depth, next_alarm } = await client.info(id);
    const { day } = await readJson<UsageReport>(client.files(id), "/compute/usage");
    return queue_depth === 0 && next_alarm === null && day.reserved_micro_usd === 0;
  };
  // Twice over: a message may have been on its way from one that was not yet looked at.
  for (let quiet = 0; quiet < 3;) {
    const all = await Promise.all(AGENTS.map(isQuiet));
    quiet = all.every((one) => one) ? quiet + 1 : 0;
  }
}

interface Job {
  readonly status: string;
  readonly error: { readonly code: string } | null;
}

type Account = Pick<
  Told,
  | "messages"
  | "alarms"
  | "jobs"
  | "interrupted"
  | "refused"
  | "asked"
  | "givenUp"
  | "lost"
  | "doubled"
  | "overBudget"
>;

/** Holds what each agent tells against what was accepted. */
async function account(
  client: Client,
  { accepted }: Senders,
  { asked }: Seller,
  limit: number,
): Promise<Account> {
  const lost: string[] = [];
  const doubled = [...asked].filter(([, times]) => times > 1).map(([what]) => `asked for ${what}`);
  const overBudget: string[] = [];
  const givenUp: string[] = [];
  const orders = [...accepted.values()];
  let interrupted = 0, refused = 0, jobs = 0;
  for (const id of AGENTS) {
    const files = client.files(id);
    const names = new Set<string>();
    for await (const { name } of entries(files, "/kv")) names.add(name);
    const things = [...names].filter((name) => !/^(job|refused)\./.test(name));
    const state = await readJson<{ ticks?: number }>(files, "/state");
    if (state.ticks !== things.length) {
      doubled.push(`${id} ticked ${state.ticks} times for ${things.length} things`);
    }
    const letters = await readJson<DeadSummary[]>(files, "/deadletter/list");
    givenUp.push(
      ...letters.map((letter) =>
        `${id} gave up ${letter.id}: ${letter.last_error?.code} ${letter.last_error?.message}`
      ),
    );
    const dead = new Set<string>(letters.map((letter) => letter.id));
    const must = (thing: Thing, what: string) => {
      if (!dead.has(what) && !names.has(`${thing}.${what}`)) lost.push(`${id} ${thing} ${what}`);
    };
    for (const { id: what, to, deed } of orders) {
      if (to === id) must("heard", what);
      if (to === id && deed.does === "alarm") must("rang", what);
      if (deed.does === "send" && deed.to === id) must("got", what);
      if (to === id && deed.does === "buy" && !dead.has(what)) {
        const [got, not] = [names.has(`job.${what}`), names.has(`refused.${what}`)];
        if (got === not) (got ? doubled : lost).push(`${id} bought ${what}`);
        if (not) refused++;
      }
    }
    for await (const { name } of entries(files, "/compute/jobs")) {
      jobs++;
      must("ended", name);
      const { status, error } = await readJson<Job>(files, `/compute/jobs/${name}/status`);
      if (error?.code === "interrupted") interrupted++;
      else if (status !== "complete") lost.push(`${id} job ${name} is ${status}: ${error?.code}`);
    }
    const lines = linesOf(await readText(files, "/budget/ledger"));
    overBudget.push(...overTheDay(id, lines, limit));
    const sold = [...asked].filter(([what]) => what.startsWith(`${id} `))
      .reduce((sum, [, times]) => sum + times * COST, 0);
    const spent = lines.reduce((sum, { actual_micro_usd }) => sum + (actual_micro_usd ?? 0), 0);
    if (sold > spent) overBudget.push(`${id} was sold ${sold} and its lines tell of ${spent}`);
  }
  const how = (does: string) => orders.filter(({ deed }) => deed.does === does).length;
  return {
    messages: how("send"),
    alarms: how("alarm"),
    jobs,
    interrupted,
    refused,
    asked: [...asked.values()].reduce((sum, times) => sum + times, 0),
    givenUp,
    lost,
    doubled,
    overBudget,
  };
}

function linesOf(ledger: string): Reservation[] {
  return ledger.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
}

/** Days whose lines come to more than the limit, and lines that have not ended. */
function overTheDay(id: string, lines: readonly Reservation[], limit: number): string[] {
  const days = new Map<string, number>();
  for (const { created_at, actual_micro_usd } of lines) {
    const day = created_at.slice(0, 10);
    days.set(day, (days.get(day) ?? 0) + (actual_micro_usd ?? 0));
  }
  return [
    ...[...days].filter(([, sum]) => sum > limit).map(([day, sum]) =>
      `${id} spent ${sum} on ${day}`
    ),
    ...lines.filter(({ state }) => state === "reserved").map((line) => `${id}: ${line.id} is open`),
  ];
}
