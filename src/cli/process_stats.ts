/** What this process uses, as far as the system tells without any permission. */
import process from "node:process";
import type { ProcessStats } from "../http/metrics.ts";

const MICROSECONDS = 1_000_000;

export function processStats(): ProcessStats {
  const { user, system } = process.cpuUsage();
  return {
    residentBytes: Deno.memoryUsage().rss,
    cpuSeconds: (user + system) / MICROSECONDS,
    startSeconds: performance.timeOrigin / 1000,
  };
}
