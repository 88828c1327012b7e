/** `agentd logs`: an agent's trace as lines for people, or as NDJSON. */
import type { FileService, StreamEvent } from "../fs/file.ts";
import { readChunks, watch } from "../fs/use.ts";
import { type Action, arg, type Call, option } from "./call.ts";
import { clip, inline, safeLine, size, span } from "./print.ts";
import type { Style } from "./terminal.ts";
import { idOf, inAgent } from "./target.ts";

const TRACE = "/logs/trace";
/** How many events there are without `--tail`. */
const TAIL = 20;
/** A line in a pipe; a terminal's own width otherwise. */
const COLUMNS = 200;

export const logs: Action = (call) => {
  const id = idOf(arg(call, "id"));
  return inAgent(id, () => show(call, call.server().files(id)));
};

async function show(call: Call, files: FileService): Promise<void> {
  const after = option<number>(call, "after");
  const tail = option<number>(call, "tail") ?? (after === undefined ? TAIL : undefined);
  const print = (event: StreamEvent) =>
    call.terminal.print(call.json ? JSON.stringify(event) : logLine(call, event));
  if (option(call, "follow")) {
    const events = await watch<StreamEvent>(files, TRACE, {
      signal: call.signal,
      ...(after === undefined ? { tail: tail! } : { after }),
    });
    for await (const event of events) print(event);
    return;
  }
  const kept: StreamEvent[] = [];
  const options = { signal: call.signal, ...(after === undefined ? {} : { after }) };
  for await (const event of parseLines(readChunks(files, TRACE, options))) {
    kept.push(event);
    if (tail !== undefined && kept.length > tail) kept.shift();
  }
  for (const event of kept) print(event);
}

/** Events of a stream file as it is read: one JSON value a line. */
async function* parseLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<StreamEvent> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of chunks) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop()!;
    for (const line of lines) if (line !== "") yield JSON.parse(line) as StreamEvent;
  }
  if (rest !== "") yield JSON.parse(rest) as StreamEvent;
}

const STYLES: Readonly<Record<string, Style>> = {
  error: "red",
  expired: "yellow",
  gap: "yellow",
  log: "bold",
  message_in: "green",
  message_out: "green",
  lifecycle: "cyan",
  tick_start: "cyan",
  tick_end: "cyan",
};
/** Said by the line's beginning, or of no use to people. */
const UNSAID = new Set(["seq", "timestamp", "type", "tick_id", "envelope_id"]);

/** `12:03:04.123  message_in   from http:local  "hi"` */
export function logLine(call: Pick<Call, "terminal">, event: StreamEvent): string {
  const { paint, columns } = call.terminal;
  const failed = event.success === false || event.error !== undefined;
  const style = failed ? "red" : STYLES[event.type] ?? "dim";
  const time = clockOf(event.timestamp);
  const head = `${paint("dim", time)}  ${paint(style, event.type.padEnd(12))}`;
  const room = (columns ?? COLUMNS) - time.length - 16;
  const words = wordsOf(event);
  return words === "" ? head.trimEnd() : `${head}  ${clip(safeLine(words), Math.max(20, room))}`;
}

/** Local time of day; the date is in `--json`. */
function clockOf(timestamp: unknown): string {
  const date = new Date(typeof timestamp === "string" ? timestamp : NaN);
  if (Number.isNaN(date.getTime())) return "--:--:--.---";
  const two = (n: number) => String(n).padStart(2, "0");
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}` +
    `.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

/** What happened, in words; fields that no case names follow as `name=value`. */
function wordsOf(event: StreamEvent): string {
  const said = new Set(UNSAID);
  const say = (name: string): string => {
    said.add(name);
    return event[name] === undefined ? "" : inline(event[name]);
  };
  const words: string[] = [];
  switch (event.type) {
    case "log":
      words.push(`${say("level").toUpperCase()} ${say("text")}`);
      break;
    case "file_call":
    case "file_result":
      words.push(`${say("op")} ${say("path")}`);
      break;
    case "message_in":
      words.push(`from ${say("from")}`, textOf(say, event));
      break;
    case "message_out":
      words.push(`to ${partyOf(event.to)}`, textOf(say, event));
      said.add("to");
      break;
    case "error":
      words.push(`${say("code")} ${say("message")}`, wayOf(event.stack));
      said.add("stack");
      break;
    case "alarm":
      words.push(`${say("action")} ${say("alarm_id")}`);
      break;
    case "tick_start":
      words.push(say("cause"));
      if (event.attempt === 1) said.add("attempt");
      break;
    case "state_change":
      if (typeof event.bytes === "number") words.push(size(event.bytes));
      said.add("bytes");
      break;
    case "tick_end":
      if (typeof event.duration_ms === "number") {
        said.add("duration_ms");
        words.push(span(event.duration_ms));
      }
      if (event.success === true) said.add("success");
      // Told by the event before it.
      said.add("error");
      break;
  }
  for (const [name, value] of Object.entries(event)) {
    if (!said.has(name) && value !== undefined) words.push(`${name}=${inline(value)}`);
  }
  return words.map((w) => w.trim()).filter(Boolean).join("  ");
}

/** By which way an agent's own code came to where it failed; the place itself is in the message. */
function wayOf(stack: unknown): string {
  if (!Array.isArray(stack) || stack.length < 2) return "";
  return `by ${stack.slice(1).join(" ← ")}`;
}

/** Whom a message goes to: `http:ann`, `agent:bob`, `outbox`. */
function partyOf(to: unknown): string {
  if (typeof to !== "object" || to === null) return String(to);
  const { kind, ...names } = to as Record<string, unknown>;
  return [kind, ...Object.values(names).slice(0, 1)].join(":");
}

/** The text of a payload where it is text. */
function textOf(say: (name: string) => string, event: StreamEvent): string {
  const payload = event.payload as { kind?: unknown; text?: unknown } | undefined;
  if (typeof payload?.text !== "string") return "";
  say("payload");
  return JSON.stringify(payload.text);
}
