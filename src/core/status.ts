/** What `/status` says. */
import type { LifecycleState } from "./agent.ts";
import type { AgentStatus } from "./view.ts";
import type { AlarmRow } from "./record.ts";
import type { Json } from "./envelope.ts";
import type { Live } from "./live.ts";
import { WHOLE_AGENT } from "./budget.ts";
import { restsUntil } from "./daily.ts";
import { decodeJson } from "./code.ts";
import { isoTime } from "./id.ts";
import { limitsOf } from "./limits.ts";
import { storedBytes } from "./quota.ts";

/** @param making the agent's create has not ended */
export async function statusOfAgent(live: Live, making: boolean): Promise<AgentStatus> {
  const { record, turn } = live;
  const limits = limitsOf(record.limits);
  const rest = restsUntil(live);
  return {
    id: record.id,
    name: record.name,
    agent: record.agent.kind === "builtin" ? record.agent.name : "module",
    state: stateOf(live, making),
    pubkey: record.pubkey,
    code_digest: record.code_digest,
    created_at: isoTime(record.created_at),
    last_tick_at: turn.last_at === null ? null : isoTime(turn.last_at),
    last_tick_cause: turn.last_cause,
    last_error: turn.last_error,
    tick_count: turn.ticks,
    failures: turn.failures,
    queue_depth: live.inbox.queue.size,
    dead_letters: await live.dead.countFailed() + await live.dead.countOverflow(),
    next_alarm: await nextAlarm(live),
    budget: budgetOf(live),
    ...(rest === undefined ? {} : { rests_until: isoTime(rest) }),
    storage_bytes: await storedBytes(live),
    limits,
    retention: limits.retention,
  };
}

/** @param making the agent's create or delete has not ended */
export function stateOf(live: Live, making: boolean): LifecycleState {
  if (making) return live.ending ? "terminated" : "creating";
  if (live.phase.phase !== "active") return live.phase.phase;
  return live.instance?.alive ? "active" : "dormant";
}

/** What it has spent today and may spend in a day, at all or in all that it has budgets for. */
function budgetOf({ ledger, record: { budgets = {} } }: Live): Json {
  const { day } = ledger.usage(WHOLE_AGENT);
  const mounts = Object.values(budgets).reduce((sum, policy) => sum + policy.per_day_micro_usd, 0);
  return {
    spent_micro_usd: day.spent_micro_usd,
    reserved_micro_usd: day.reserved_micro_usd,
    limit_micro_usd: day.limit_micro_usd ?? mounts,
  };
}

/** The next alarm, ISO 8601. */
async function nextAlarm(live: Live): Promise<string | null> {
  const [first] = await live.storage.list({ prefix: "alarm/", limit: 1 });
  return first ? isoTime(decodeJson<AlarmRow>(first.value).due) : null;
}
