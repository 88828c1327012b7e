/** A clock that stands until it is advanced, for tests and simulations. */

export interface ManualClock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  timer(delayMs: number, fire: () => void): () => void;
  /** Moves on by so many milliseconds; timers fire in the order of their times, and what they set off settles between them. */
  advance(ms: number): Promise<void>;
  /** How many timers wait. */
  waiting(): number;
}

interface Timer {
  readonly dueMs: number;
  readonly fire: () => void;
}

/** Turns of the microtask queue that promises get to settle before the next timer fires. */
const SETTLE_TURNS = 1000;

async function settlePromises(): Promise<void> {
  for (let i = 0; i < SETTLE_TURNS; i++) await Promise.resolve();
}

/** @param settle waits for what the last timer has set off; by default for promises alone, which is all that moves in memory */
export function manualClock(startMs = 0, settle = settlePromises): ManualClock {
  let nowMs = startMs;
  const timers = new Set<Timer>();

  /** The earliest by time, then by call: a set keeps the order of the calls. */
  function next(untilMs: number): Timer | undefined {
    let first: Timer | undefined;
    for (const t of timers) if (t.dueMs <= untilMs && (!first || t.dueMs < first.dueMs)) first = t;
    return first;
  }

  return {
    now: () => nowMs,
    timer(delayMs, fire) {
      const timer = { dueMs: nowMs + Math.max(0, delayMs), fire };
      timers.add(timer);
      return () => {
        timers.delete(timer);
      };
    },
    async advance(ms) {
      const untilMs = nowMs + ms;
      await settle();
      for (let due = next(untilMs); due; due = next(untilMs)) {
        timers.delete(due);
        nowMs = Math.max(nowMs, due.dueMs);
        due.fire();
        await settle();
      }
      nowMs = Math.max(nowMs, untilMs);
      await settle();
    },
    waiting: () => timers.size,
  };
}
