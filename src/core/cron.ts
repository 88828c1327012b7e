/** When a cron expression fires, told from a time that is given: nothing here looks at a clock. */
import { Cron, CronDate, CronPattern } from "croner";
import { FileError } from "../fs/error.ts";

const ZONE = "UTC";

/**
 * The first time after `after` (milliseconds) at which the expression fires, in UTC; undefined: never again.
 * @throws FileError `invalid_request` for what is no cron expression
 */
export function laterCron(expression: string, after: number): number | undefined {
  // What it stands for is the time at which it is read, which is another at each try.
  if (String(expression).includes("?")) throw invalid(expression, '"?" is not taken; say a number');
  try {
    const { options } = new Cron(expression, { timezone: ZONE, paused: true });
    const pattern = new CronPattern(expression, ZONE, options);
    return new CronDate(new Date(after), ZONE).increment(pattern, options, true)
      ?.getDate(false).getTime();
  } catch (error) {
    throw invalid(expression, error instanceof Error ? error.message : "no cron expression");
  }
}

/** The same of an expression that must fire once more. @throws FileError `invalid_request` */
export function nextCron(expression: string, after: number): number {
  const next = laterCron(expression, after);
  if (next === undefined) throw invalid(expression, "it never fires");
  return next;
}

function invalid(expression: unknown, detail: string): FileError {
  return new FileError("invalid_request", "cron", String(expression).slice(0, 140), { detail });
}
