/** What a look at one thing found, and how that reads. */
import { lineOf } from "../exit.ts";
import { safeLine, width } from "../print.ts";
import type { Paint, Style } from "../terminal.ts";

/** `absent`: not there, and nothing is wrong with that. `unseen`: this program may not look. */
export type State = "ok" | "absent" | "unseen" | "broken";

export interface Finding {
  readonly name: string;
  readonly state: State;
  readonly found: string;
  /** Where a setting came from. */
  readonly from?: string;
  /** What to do about it, a sentence. */
  readonly todo?: string;
}

export interface Group {
  readonly title: string;
  readonly findings: readonly Finding[];
}

const MARKS: Readonly<Record<State, readonly [string, Style]>> = {
  ok: ["✓", "green"],
  absent: ["–", "dim"],
  unseen: ["?", "yellow"],
  broken: ["✗", "red"],
};
/** Longer findings do not move what stands behind them. */
const FOUND_COLUMNS = 44;

/** A look that may fail. */
export async function look(name: string, work: () => Promise<Finding> | Finding): Promise<Finding> {
  try {
    return await work();
  } catch (error) {
    return failed(name, error);
  }
}

/** What this program was not allowed is told as that, all else as broken. */
export function failed(name: string, error: unknown): Finding {
  const permission = missingPermission(error);
  if (permission === undefined) return { name, state: "broken", found: lineOf(error) };
  return {
    name,
    state: "unseen",
    found: "this program may not look",
    todo: `It was started without --allow-${permission}.`,
  };
}

/** The permission that an error, or what caused it, speaks of. */
function missingPermission(error: unknown): string | undefined {
  for (let at = error as Error | undefined, n = 0; at && n < 5; at = at.cause as Error, n++) {
    const text = `${at.message} ${(at as { detail?: string }).detail ?? ""}`;
    const found = /Requires (\w+) access|without the permission/.exec(text);
    if (found) return found[1] ?? "read";
  }
}

export function groupLines(groups: readonly Group[], paint: Paint): string[] {
  const names = groups.flatMap(({ findings }) => findings.map(({ name }) => name.length));
  const longest = Math.max(...names);
  return groups.flatMap(({ title, findings }, n) => [
    ...(n === 0 ? [] : [""]),
    paint("bold", title),
    ...findings.flatMap((finding) => findingLines(finding, longest, paint)),
  ]);
}

function findingLines(finding: Finding, nameColumns: number, paint: Paint): string[] {
  const { name, state, from, todo } = finding;
  const [mark, style] = MARKS[state];
  const found = safeLine(finding.found);
  const gap = " ".repeat(Math.max(3, FOUND_COLUMNS - width(found)));
  const behind = from === undefined ? "" : gap + paint("dim", safeLine(from));
  const indent = " ".repeat(nameColumns + 6);
  return [
    `  ${paint(style, mark)} ${name.padEnd(nameColumns)}  ${found}${behind}`,
    ...(todo === undefined ? [] : [indent + paint("dim", safeLine(todo))]),
  ];
}
