/** `/logs/`: what the agent does and has done: events as they happen, log lines, ticks, and a record of every try. */
import type { AgentView, ServiceFactory, Stream } from "../core/view.ts";
import type { StreamEvent } from "../fs/file.ts";
import { dir, file, type Node, tree } from "../fs/tree.ts";
import { streamFile } from "./common/events.ts";
import { JSON_TYPE } from "./common/json.ts";

/** Lines in `recent`. */
export const RECENT_LINES = 200;
/** Ticks in one reading of `ticks`. */
export const TICKS_PAGE = 100;
/** How far back `recent` looks for lines, step by step: most are found in the first. */
const LOOK_BACK = [500, 2_000, 10_000];

export const logs: ServiceFactory = (view) =>
  tree(
    dir({
      recent: recent(view),
      ticks: ticks(view),
      trace: file(streamFile(view.trace, "what happens, as it happens")),
      trajectory: file(
        streamFile(view.trajectory, "one record a try: what came in, was done, and came of it"),
      ),
    }),
    view.viewer,
  );

function recent(view: AgentView): Node {
  return file({
    type: "text/plain; charset=utf-8",
    about: `the last ${RECENT_LINES} lines that the agent has logged`,
    read: async () => (await lastLogs(view.trace)).map(line).join(""),
  });
}

async function lastLogs(trace: Stream): Promise<StreamEvent[]> {
  let found: StreamEvent[] = [];
  for (const count of LOOK_BACK) {
    const events = await trace.tail(count);
    found = events.filter((event) => event.type === "log").slice(-RECENT_LINES);
    if (found.length === RECENT_LINES || events.length < count) break;
  }
  return found;
}

/** One line each: what is in a text must not look like the next one. */
function line({ timestamp, level, text }: StreamEvent): string {
  const told = String(text).replaceAll("\r", "\\r").replaceAll("\n", "\\n");
  return `${timestamp} ${String(level).toUpperCase()} ${told}\n`;
}

/** The newest first; `after` goes on behind a `seq` that was read. */
function ticks(view: AgentView): Node {
  return file({
    type: JSON_TYPE,
    about: `the last ${TICKS_PAGE} tries, newest first; after=<seq> tells those before that one`,
    read: async ({ after }) => JSON.stringify(await ticksBefore(view.trajectory, after)),
  });
}

async function ticksBefore(trajectory: Stream, seq: number | undefined) {
  const found: StreamEvent[] = [];
  for (let before = seq; found.length < TICKS_PAGE;) {
    const page = before === undefined
      ? await trajectory.tail(TICKS_PAGE)
      : await pageBefore(trajectory, before);
    found.push(...page.filter((record) => record.type === "tick").reverse());
    const oldest = page[0];
    if (oldest === undefined || oldest.seq === before) break;
    before = oldest.seq;
  }
  return found.slice(0, TICKS_PAGE).map(summary);
}

/** Records just before a seq; what is no longer kept is not told of. */
async function pageBefore(trajectory: Stream, seq: number): Promise<StreamEvent[]> {
  const after = Math.max(0, seq - 1 - TICKS_PAGE);
  const page = await trajectory.read({ after, limit: TICKS_PAGE });
  return page.filter((record) => record.seq < seq && record.type !== "gap");
}

/** What the record says of the tick, without what was done in it. */
function summary(record: StreamEvent) {
  const { seq, timestamp, tick_id, envelope_id, attempt, outcome, duration_ms } = record;
  const { usage, cost_micro_usd, error } = record;
  return {
    seq,
    timestamp,
    tick_id,
    envelope_id,
    trigger: (record["trigger"] as { type?: unknown } | undefined)?.type,
    attempt,
    outcome,
    duration_ms,
    usage,
    cost_micro_usd,
    error,
  };
}
