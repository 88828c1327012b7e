/** How often an agent has asked in this minute and this UTC day; it stands before the request is sent, so that neither a failed tick nor a restart gives it back. */
import { decodeJson, encodeJson } from "../../core/code.ts";
import type { AgentId } from "../../core/id.ts";
import { key } from "../../core/keys.ts";
import type { AgentView } from "../../core/view.ts";
import { refusal } from "../../fs/tree.ts";
import { type HttpPolicy, MOUNT } from "./policy.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/** Row `rate/<mount>`. */
interface Counted {
  /** Number of the minute, and of the day, since the Unix epoch. */
  readonly minute: number;
  readonly inMinute: number;
  readonly day: number;
  readonly inDay: number;
}

export interface Rates {
  /** Counts one request. @throws FileError `rate_limited` */
  count(view: AgentView, policy: HttpPolicy): Promise<void>;
  used(view: AgentView): Promise<{ readonly minute: number; readonly day: number }>;
}

/** @param now milliseconds; the time that it is, not the one that a tick keeps */
export function makeRates(now: () => number): Rates {
  /** One after the other for each agent. */
  const turns = new Map<AgentId, Promise<unknown>>();
  function inTurn<T>(agent: AgentId, run: () => Promise<T>): Promise<T> {
    const done = (turns.get(agent) ?? Promise.resolve()).then(run, run);
    const settled = done.catch(() => {}).then(() => {
      if (turns.get(agent) === settled) turns.delete(agent);
    });
    turns.set(agent, settled);
    return done;
  }
  async function current({ rows }: AgentView): Promise<Counted> {
    const bytes = await rows.get(key.rate(MOUNT));
    const kept = bytes && decodeJson<Counted>(bytes);
    const minute = Math.floor(now() / MINUTE_MS);
    const day = Math.floor(now() / DAY_MS);
    return {
      minute,
      inMinute: kept?.minute === minute ? kept.inMinute : 0,
      day,
      inDay: kept?.day === day ? kept.inDay : 0,
    };
  }
  return {
    count: (view, { per_minute, per_day }) =>
      inTurn(view.id, async () => {
        const counted = await current(view);
        const { inMinute, inDay } = counted;
        if (inDay >= per_day) throw tooOften("day", per_day, DAY_MS - now() % DAY_MS);
        if (inMinute >= per_minute) {
          throw tooOften("minute", per_minute, MINUTE_MS - now() % MINUTE_MS);
        }
        const next: Counted = { ...counted, inMinute: inMinute + 1, inDay: inDay + 1 };
        await view.rows.commitNow([{ key: key.rate(MOUNT), value: encodeJson(next) }], []);
      }),
    async used(view) {
      const { inMinute, inDay } = await inTurn(view.id, () => current(view));
      return { minute: inMinute, day: inDay };
    },
  };
}

function tooOften(span: "minute" | "day", limit: number, retryAfterMs: number) {
  const retryAfterS = Math.ceil(retryAfterMs / 1000);
  return refusal(
    "rate_limited",
    `per_${span} of /http/policy is ${limit}; the next ${span} begins in ${retryAfterS} s`,
    { limit, retry_after_s: retryAfterS, asked: false },
  );
}
