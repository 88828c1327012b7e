/** How things read: tables, times, sizes, and text of others made safe to show. */
import type { Paint } from "./terminal.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

// deno-lint-ignore no-control-regex -- colours are taken off to measure what is seen
const COLOURS = /\x1b\[[0-9;]*m/g;
// deno-lint-ignore no-control-regex -- control characters are exactly what is made visible
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;

export interface Column {
  readonly title: string;
  readonly right?: boolean;
}

/** Rows under their titles, columns aligned; the last left-aligned column is not padded. */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  paint: Paint,
): string[] {
  const widths = columns.map((column, i) =>
    Math.max(column.title.length, ...rows.map((row) => width(row[i] ?? "")))
  );
  const line = (cells: readonly string[]) =>
    columns.map((column, i) => {
      const cell = cells[i] ?? "";
      const gap = " ".repeat(Math.max(0, widths[i]! - width(cell)));
      return column.right ? gap + cell : cell + gap;
    }).join("  ").trimEnd();
  return [paint("dim", line(columns.map((c) => c.title))), ...rows.map(line)];
}

/** `name  value` lines, values under each other. */
export function facts(pairs: readonly (readonly [string, string])[], paint: Paint): string[] {
  const longest = Math.max(0, ...pairs.map(([name]) => name.length));
  return pairs.map(([name, value]) => `${paint("dim", name.padEnd(longest))}  ${value}`);
}

/** How wide a terminal shows it: colours are not seen, East Asian wide characters and emoji take two. */
export function width(text: string): number {
  let columns = 0;
  for (const c of text.replace(COLOURS, "")) columns += widthOf(c);
  return columns;
}

const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\p{Emoji_Presentation}]/u;
const NONE = /\p{Mark}|\u200d|\u200b/u;

function widthOf(c: string): number {
  if (c < "\u0300") return 1;
  return NONE.test(c) ? 0 : WIDE.test(c) ? 2 : 1;
}

/** `3 s ago`, `in 2 h`, `never`. */
export function ago(iso: string | number | null | undefined, nowMs: number): string {
  if (iso === null || iso === undefined) return "never";
  const ms = typeof iso === "number" ? iso : Date.parse(iso);
  if (Number.isNaN(ms)) return String(iso);
  const passed = nowMs - ms;
  if (Math.abs(passed) < SECOND) return "now";
  return passed > 0 ? `${span(passed)} ago` : `in ${span(-passed)}`;
}

/** `340 ms`, `12 s`, `5 min`, `3 h`, `2 d`: one number, rounded down. */
export function span(ms: number): string {
  if (ms < SECOND) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < MINUTE) return `${Math.floor(ms / SECOND)} s`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min`;
  if (ms < DAY) return `${Math.floor(ms / HOUR)} h`;
  return `${Math.floor(ms / DAY)} d`;
}

/** `512 B`, `1.5 KiB`. */
export function size(bytes: number | undefined): string {
  if (bytes === undefined) return "-";
  let n = bytes;
  let unit = 0;
  while (n >= 1024 && unit < UNITS.length - 1) {
    n /= 1024;
    unit++;
  }
  return `${unit === 0 || n >= 100 ? Math.round(n) : n.toFixed(1)} ${UNITS[unit]}`;
}

/** `$0`, `$5`, `$0.50`, `$0.0003`. */
export function dollars(microUsd: number): string {
  if (microUsd % 1_000_000 === 0) return `$${microUsd / 1_000_000}`;
  const inCents = microUsd % 10_000 === 0;
  const text = (microUsd / 1_000_000).toFixed(inCents ? 2 : 6);
  return "$" + (inCents ? text : text.replace(/0+$/, ""));
}

/** `1 agent`, `2 agents`. */
export function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? "" : "s"}`;
}

/**
 * Text that an agent or a sender wrote, for a terminal: escape sequences and direction overrides are shown instead of obeyed, so that
 * nobody's text can move the cursor, change the title or pass itself off as ours. Newlines and tabs stay.
 */
export function safe(text: string): string {
  return text.replace(CONTROL, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`);
}

/** The same on one line. */
export function safeLine(text: string): string {
  return safe(text).replace(/\r?\n/g, "⏎").replace(/\t/g, " ");
}

/** At most `columns` wide, `…` at the cut. */
export function clip(text: string, columns: number): string {
  if (width(text) <= columns) return text;
  let out = "";
  let used = 1;
  for (const c of text) {
    used += widthOf(c);
    if (used > columns) break;
    out += c;
  }
  return out + "…";
}

/** A value in one line: text as it is, else JSON. */
export function inline(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value) ?? "";
}
