/** What `/status` says. */
import type { LifecycleState } from "./agent.ts";
import type { AgentStatus } from "./view.ts";
import type { AlarmRow } from "./record.ts";
import type { Live } from "./live.ts";
import { decodeJson } from "./code.ts";
import { isoTime } from "./id.ts";
import { pages } from "./pages.ts";

/** @param making the agent's create has not ended */
export async function statusOfAgent(live: Live, making: boolean): Promise<AgentStatus> {
  const { record, turn } = live;
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
    budget: { spent_micro_usd: 0, limit_micro_usd: 0 },
    storage_bytes: await storageBytes(live),
    limits: record.limits,
    retention: record.limits.retention,
  };
}

/** @param making the agent's create or delete has not ended */
export function stateOf(live: Live, making: boolean): LifecycleState {
  if (making) return live.ending ? "terminated" : "creating";
  if (live.phase.phase !== "active") return live.phase.phase;
  return live.instance?.alive ? "active" : "dormant";
}

/** Bytes of the state, KV, goals and files as they stand. */
async function storageBytes(live: Live): Promise<number> {
  if (live.storedBytes !== undefined) return live.storedBytes;
  let bytes = live.state?.length ?? 0;
  for (const prefix of ["kv/", "goal/"]) {
    for await (const rows of pages(live.storage, prefix)) {
      for (const { value } of rows) bytes += value.length;
    }
  }
  for await (const rows of pages(live.storage, "file/")) {
    // A directory's row has no size.
    for (const { value } of rows) bytes += decodeJson<{ size?: number }>(value).size ?? 0;
  }
  return live.storedBytes = bytes;
}

/** The next alarm, ISO 8601. */
async function nextAlarm(live: Live): Promise<string | null> {
  const [first] = await live.storage.list({ prefix: "alarm/", limit: 1 });
  return first ? isoTime(decodeJson<AlarmRow>(first.value).due) : null;
}
