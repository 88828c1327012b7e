/** How long an agent's ticks have run in a UTC day. Who has used a day up rests until the next one begins. */
import type { Live } from "./live.ts";
import type { TickId } from "./id.ts";
import type { Worked } from "./record.ts";
import { isoTime, timeOfUuid } from "./id.ts";
import { limitsOf, WARN_PERCENT } from "./limits.ts";

const DAY_MS = 86_400_000;

/** Days in which it was said that the limit is near, and that it is reached. */
const told = new WeakMap<Live, { near?: number; reached?: number }>();

/** What stands in the turn after a try that ends now; it counts in the day in which it ends. */
export function workedWith(live: Live, tickId: TickId): Worked {
  const nowMs = live.backend.now();
  const day = dayOf(nowMs);
  const ms = msOf(live, day) + Math.max(0, nowMs - timeOfUuid(tickId));
  tell(live, day, ms);
  return { day, ms };
}

/** When the agent may tick again, milliseconds since the Unix epoch; undefined: now. */
export function restsUntil(live: Live): number | undefined {
  const day = dayOf(live.backend.now());
  const limit = limitsOf(live.record.limits).max_daily_compute_ms;
  // A limit of a whole day is none, also where clocks are moved.
  return limit < DAY_MS && msOf(live, day) >= limit ? day + DAY_MS : undefined;
}

function msOf({ turn: { worked } }: Live, day: number): number {
  return worked?.day === day ? worked.ms : 0;
}

function tell(live: Live, day: number, ms: number): void {
  const limit = limitsOf(live.record.limits).max_daily_compute_ms;
  if (limit >= DAY_MS || ms * 100 < limit * WARN_PERCENT) return;
  const said = told.get(live) ?? {};
  told.set(live, said);
  const of = { limit_ms: limit, used_ms: ms };
  if (said.near !== day) {
    said.near = day;
    live.trace.add({
      type: "budget",
      warning: `${WARN_PERCENT}% of max_daily_compute_ms`,
      ...of,
    });
  }
  if (ms < limit || said.reached === day) return;
  said.reached = day;
  const rests_until = isoTime(day + DAY_MS);
  live.trace.add({
    type: "budget",
    warning: "max_daily_compute_ms is reached",
    rests_until,
    ...of,
  });
}

function dayOf(ms: number): number {
  return Math.floor(ms / DAY_MS) * DAY_MS;
}
