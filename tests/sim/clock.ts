/** A clock that stands until it is advanced, and that somebody may set while timers run on, as an operator or a time server does. */
import { manualClock } from "../../src/backends/manual_clock.ts";
import type { Clock } from "../../conformance/ticks.ts";

/** 2026-01-01T12:00:00Z: half a day from any change of days. */
const START_MS = 1_767_268_800_000;

export interface SetClock extends Clock {
  /** Sets it on, or back if negative: timers take no notice. */
  set(byMs: number): void;
  /** The latest time that it has ever told. */
  readonly latest: number;
}

export function setClock(settled: () => Promise<void>): SetClock {
  const clock = manualClock(START_MS, settled);
  let byMs = 0;
  let latest = START_MS;
  const now = () => {
    const told = clock.now() + byMs;
    latest = Math.max(latest, told);
    return told;
  };
  return {
    now,
    timer: clock.timer,
    advance: clock.advance,
    set(more) {
      byMs += more;
      now();
    },
    get latest() {
      now();
      return latest;
    },
  };
}
