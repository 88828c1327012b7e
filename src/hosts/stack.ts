/** What an error's stack says of an agent's own code, and nothing of the runtime's. */
import type { Locate } from "./source_map.ts";

/** What is kept of an agent's own stack. */
const MAX_STACK_LINES = 20;
const MAX_STACK_LINE_CHARS = 200;
/** A `data:` address may be as long as the module, in each frame, so a stack can be huge. */
const MAX_STACK_CHARS = 4 * 1024 * 1024;
/** What is told of it: who wants more has a debugger. */
const MAX_FRAMES = 5;
const MAX_NAME_CHARS = 80;
const MAX_MESSAGE_CHARS = 1_000;

/** How an agent's module is called in what its engine says. */
const MODULE = "agent.js";
const FRAME = /^\s*at (?:async )?(?:(.{1,200}?) \()?agent\.js:(\d{1,9}):(\d{1,9})\)?$/;
const POSITION = /\bagent\.js:(\d{1,9}):(\d{1,9})/g;
const HOSTS = /src\/hosts\//;

/**
 * The frames of the agent's own code: those between what it has called of this room and what has called it, its module's address made short.
 * Undefined if there are none.
 */
export function agentStack(error: unknown): string | undefined {
  const stack = stackOf(error);
  if (typeof stack !== "string") return undefined;
  const lines: string[] = [];
  for (const line of stack.slice(0, MAX_STACK_CHARS).split("\n")) {
    if (!/^\s+at /.test(line)) continue;
    if (HOSTS.test(line)) {
      if (lines.length > 0) break;
      continue;
    }
    lines.push(shortUrls(line).slice(0, MAX_STACK_LINE_CHARS));
    if (lines.length === MAX_STACK_LINES) break;
  }
  return lines.length > 0 ? lines.join("\n") : undefined;
}

/** What was thrown may be anything, also what throws when it is looked at. */
function stackOf(error: unknown): unknown {
  try {
    return (error as { stack?: unknown } | null | undefined)?.stack;
  } catch {
    return undefined;
  }
}

/** A module's `data:` address holds the whole module, or the ends of it. */
export function shortUrls(text: string): string {
  return text.replace(/data:text\/javascript[^,]*,[A-Za-z0-9+/=%_.~-]*/g, MODULE);
}

/** Frames of the author's own files, innermost first: `onTrigger (agent.ts:10:13)`; those of the bundle where there is none of them. */
export function ownFrames(stack: string, locate: Locate): string[] {
  const own: string[] = [];
  const bundled: string[] = [];
  for (const line of stack.split("\n")) {
    const [, name, row, column] = FRAME.exec(line) ?? [];
    if (row === undefined) continue;
    bundled.push(frameText(name, `${MODULE}:${row}:${column}`));
    const place = locate(Number(row), Number(column));
    if (place) own.push(frameText(name, `${place.file}:${place.line}:${place.column}`));
    if (own.length === MAX_FRAMES) break;
  }
  return own.length > 0 ? own : bundled.slice(0, MAX_FRAMES);
}

/** Where a frame is, without what it is in. */
export function placeOf(frame: string): string {
  return /\(([^()]*)\)$/.exec(frame)?.[1] ?? frame;
}

function frameText(name: string | undefined, place: string): string {
  const called = name?.replace(/^(?:Object|Module)\./, "");
  return called ? `${called.slice(0, MAX_NAME_CHARS)} (${place})` : place;
}

/** Where in the agent's module an error is from, to be put behind what it says. */
export function placeText(error: unknown): string {
  const [place] = (agentStack(error) ?? "").match(POSITION) ?? [];
  return place === undefined ? "" : ` (${place})`;
}

/** A text in which an agent's engine has named places, with the author's in their stead. */
export function relocated(text: string, locate: Locate): string {
  return text.replace(POSITION, (whole, row, column) => {
    const place = locate(Number(row), Number(column));
    return place ? `${place.file}:${place.line}:${place.column}` : whole;
  });
}

/** The platform's, where it has one. */
const capture = (Error as { captureStackTrace?: (on: object) => void }).captureStackTrace;

/** A rejection comes from elsewhere and knows nothing of who waits for it: gives it the stack of those who do, where that is an agent's. */
export function withWaiters(error: unknown): unknown {
  if (!capture || !(error instanceof Error)) return error;
  const here: { stack?: string } = {};
  capture(here);
  if (agentStack(here) === undefined) return error;
  try {
    const frames = here.stack!.split("\n").slice(1).join("\n");
    // A message can be as long as a path that is none.
    Object.defineProperty(error, "stack", {
      value: `${error.name}: ${error.message.slice(0, MAX_MESSAGE_CHARS)}\n${frames}`,
      configurable: true,
      writable: true,
    });
  } catch {
    // One that cannot be changed is told as it is.
  }
  return error;
}
