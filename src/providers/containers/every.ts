/** What is done again and again, for as long as the program runs for other reasons: its timer keeps nobody alive. */

export interface Repetition {
  stop(): void;
}

/** Runs `again` each `ms` milliseconds, the first time after that long; while one run goes on, none is begun. */
export function every(ms: number, again: () => Promise<unknown>): Repetition {
  let isRunning = false;
  const timer = setInterval(() => {
    if (isRunning) return;
    isRunning = true;
    again().catch(() => {}).finally(() => isRunning = false);
  }, ms);
  Deno.unrefTimer(timer);
  return { stop: () => clearInterval(timer) };
}
