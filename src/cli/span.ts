/** Spans of time as people type them. */
import { usage } from "./exit.ts";

const UNITS_MS: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};
/** Longer is as good as never, and said so. */
const MAX_SPAN_MS = 100 * 365 * 86_400_000;

/** `30d`, `12h`, `90m` in milliseconds. @throws usage error */
export function readSpan(text: string): number {
  const [, digits, unit] = /^(\d{1,9})([smhdw])$/.exec(text) ?? [];
  const ms = Number(digits) * (UNITS_MS[unit ?? ""] ?? NaN);
  if (ms > 0 && ms <= MAX_SPAN_MS) return ms;
  throw usage(
    `${JSON.stringify(text)} is no span of time`,
    "For example 30d, 12h or 90m; leave it out for a token that does not expire.",
  );
}
