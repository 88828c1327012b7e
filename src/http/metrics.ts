/** What the server tells of itself in numbers: counts from the engine and from requests, and what stands at the moment it is asked. */
import { DISPOSITIONS, type Meter, TICK_OUTCOMES } from "../core/meter.ts";
import type { RuntimeStatus } from "../core/runtime.ts";
import { type Counter, counter, gaugeText, histogram } from "./prometheus.ts";

/** Upper ends of the buckets, in seconds: a tick may be a short handler, or wait for a model. */
const TICK_SECONDS = [
  0.001,
  0.0025,
  0.005,
  0.01,
  0.025,
  0.05,
  0.1,
  0.25,
  0.5,
  1,
  2.5,
  5,
  10,
  30,
  60,
  600,
];
const COMMIT_SECONDS = [
  0.0001,
  0.00025,
  0.0005,
  0.001,
  0.0025,
  0.005,
  0.01,
  0.025,
  0.05,
  0.1,
  0.25,
  0.5,
  1,
  5,
];
/** Any other method is one label value. */
const METHODS = ["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"];

/** What is known of the process; the door looks. */
export interface ProcessStats {
  readonly residentBytes?: number;
  /** Of user and system, since its start. */
  readonly cpuSeconds?: number;
  /** Since the Unix epoch. */
  readonly startSeconds?: number;
}

export interface MetricsOptions {
  readonly version: string;
  readonly process?: () => ProcessStats;
  /** Milliseconds with fractions, which only grow. The platform's own if absent. */
  readonly clockMs?: () => number;
}

export interface Metrics {
  /** For the engine. */
  readonly meter: Meter;
  /** `route`: its template, never the path. */
  request(route: string, method: string, status: number): void;
  /** A watcher was dropped: it did not read. */
  dropped(): void;
  /** Everything, in Prometheus' text format. */
  text(status: RuntimeStatus, watchers: number): string;
}

export function createMetrics(options: MetricsOptions): Metrics {
  const clockMs = options.clockMs ?? (() => performance.now());
  const ticks = counter(
    "agentd_ticks_total",
    "Runs of a handler, by how they ended.",
    TICK_OUTCOMES.map((outcome) => ({ outcome })),
  );
  const tickSeconds = histogram(
    "agentd_tick_duration_seconds",
    "How long a run of a handler takes, its commit included.",
    TICK_SECONDS,
  );
  const envelopes = counter(
    "agentd_envelopes_total",
    "Envelopes, by what became of them at the gate, or later without being ticked to a good end.",
    DISPOSITIONS.map((disposition) => ({ disposition })),
  );
  const commits = counter(
    "agentd_commits_total",
    "Commits, by whether they stand.",
    ["ok", "failed"].map((result) => ({ result })),
  );
  const commitSeconds = histogram(
    "agentd_commit_duration_seconds",
    "From the call of a commit until it is durable, its wait for the flush it shares included.",
    COMMIT_SECONDS,
  );
  const spent = counter(
    "agentd_spent_micro_usd_total",
    "What agents have paid, by the mount at which they did.",
    [],
  );
  const requests: Counter = counter(
    "agentd_http_requests_total",
    "Answered requests, by the route's template, method and status.",
    [],
  );
  const dropped = counter(
    "agentd_sse_dropped_total",
    "Watchers that were dropped because they did not read.",
  );
  /** Seconds since `startMs`. */
  const since = (startMs: number) => (clockMs() - startMs) / 1000;

  return {
    meter: {
      tick() {
        const startMs = clockMs();
        return (outcome) => {
          ticks.add({ outcome });
          tickSeconds.observe(since(startMs));
        };
      },
      envelope: (disposition) => envelopes.add({ disposition }),
      commit() {
        const startMs = clockMs();
        return (ok) => {
          commits.add({ result: ok ? "ok" : "failed" });
          commitSeconds.observe(since(startMs));
        };
      },
      spent: (mount, microUsd) => spent.add({ mount }, microUsd),
    },
    request(route, method, status) {
      const known = METHODS.includes(method) ? method : "other";
      requests.add({ route, method: known, status: String(status) });
    },
    dropped: () => dropped.add(),
    text: (status, watchers) =>
      [
        gaugeText("agentd_build_info", "Which program this is; always 1.", [
          [{ version: options.version }, 1],
        ]),
        ticks.text(),
        tickSeconds.text(),
        envelopes.text(),
        commits.text(),
        commitSeconds.text(),
        spent.text(),
        runtimeText(status),
        requests.text(),
        gaugeText("agentd_sse_watchers", "Watches that are open.", [[{}, watchers]]),
        dropped.text(),
        processText(options.process?.() ?? {}),
      ].join(""),
  };
}

function runtimeText(status: RuntimeStatus): string {
  return [
    gaugeText("agentd_agents", "Agents there are, in memory or not.", [[{}, status.agents]]),
    gaugeText(
      "agentd_agents_in_memory",
      "Agents in memory, by state. The others are not looked at.",
      Object.entries(status.states).map(([state, count]) => [{ state }, count]),
    ),
    gaugeText("agentd_inbox_depth", "Envelopes that wait, of all agents in memory.", [
      [{}, status.queued],
    ]),
    gaugeText("agentd_reserved_micro_usd", "What runs now may cost at the most, of all agents.", [
      [{}, status.reserved_micro_usd],
    ]),
    gaugeText("agentd_agents_due", "Agents that wait for their turn.", [[{}, status.due]]),
    gaugeText("agentd_ticks_running", "Ticks that run.", [[{}, status.ticking]]),
    gaugeText("agentd_paused", "1 while all agents are paused.", [[{}, status.paused ? 1 : 0]]),
    gaugeText("agentd_uptime_seconds", "Since the runtime was started.", [
      [{}, status.uptime_ms / 1000],
    ]),
  ].join("");
}

function processText({ residentBytes, cpuSeconds, startSeconds }: ProcessStats): string {
  return [
    gaugeText("agentd_process_resident_memory_bytes", "Memory that the process has.", [
      [{}, residentBytes],
    ]),
    gaugeText(
      "agentd_process_cpu_seconds_total",
      "Processor time that the process has used.",
      [[{}, cpuSeconds]],
      "counter",
    ),
    gaugeText("agentd_process_start_time_seconds", "When the process began, since 1970.", [
      [{}, startSeconds],
    ]),
  ].join("");
}
