/** An agent's limits as somebody gives them: checked where they enter, the rest by default. */
import { z } from "zod";
import { FileError } from "../fs/error.ts";
import { DEFAULT_LIMITS, type Limits } from "./agent.ts";

const DAY_MS = 86_400_000;
const count = (max: number) => z.number().int().min(1).max(max);

export const limitsSchema = z.strictObject({
  max_tick_ms: count(DAY_MS),
  max_stall_ms: count(DAY_MS),
  max_state_bytes: count(64 * 1024 * 1024),
  max_memory_mb: count(1024 * 1024),
  max_storage_bytes: count(Number.MAX_SAFE_INTEGER),
  max_daily_compute_ms: count(DAY_MS),
  max_sends_per_minute: count(1_000_000_000),
  idle_ms: count(DAY_MS),
  retry_ms: z.array(z.number().int().min(0).max(DAY_MS)).max(100),
  max_consecutive_failures: count(1_000_000),
  retention: z.strictObject({
    trace: count(1_000_000),
    outbox: count(1_000_000),
    trajectory: count(1_000_000),
  }).partial(),
}).partial();

/** Limits as far as somebody says them. */
export type SomeLimits = Partial<Omit<Limits, "retention">> & {
  readonly retention?: Partial<Limits["retention"]>;
};

/** A limit warns when this part of it is used up. */
export const WARN_PERCENT = 80;

/** An agent's limits whole: a record may be older than some of them. */
export function limitsOf(limits: SomeLimits): Limits {
  let whole = known.get(limits);
  if (!whole) {
    const retention = { ...DEFAULT_LIMITS.retention, ...limits.retention };
    known.set(limits, whole = { ...DEFAULT_LIMITS, ...limits, retention });
  }
  return whole;
}

/** Records are not changed but replaced, and every tick asks for some of its agent's limits. */
const known = new WeakMap<SomeLimits, Limits>();

/** @throws FileError `invalid_request` */
export function checkedLimits(given: unknown, defaults: Limits): Limits {
  const parsed = limitsSchema.safeParse(given);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new FileError("invalid_request", "set", "limits", {
      detail: `${issue?.path.join(".")}: ${issue?.message}`,
      cause: parsed.error,
    });
  }
  const { retention, ...rest } = parsed.data;
  const known = Object.fromEntries(Object.entries(rest).filter(([, v]) => v !== undefined));
  const kept = Object.fromEntries(
    Object.entries(retention ?? {}).filter(([, v]) => v !== undefined),
  );
  return { ...defaults, ...known, retention: { ...defaults.retention, ...kept } };
}
