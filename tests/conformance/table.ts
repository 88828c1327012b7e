/** The table of laws and subjects, as text for a terminal. */
import type { Finding } from "../../conformance/law.ts";

/** A law that a subject keeps, breaks, or is not asked to keep. */
type Mark = "✓" | "✗" | "–";

/** A terminal's width, or about that. */
const WIDE = 110;

function aligned(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, n) => Math.max(...rows.map((row) => row[n]!.length)));
  return rows
    .map((row) => row.map((cell, n) => cell.padEnd(widths[n]!)).join("  ").trimEnd())
    .join("\n");
}

/**
 * Laws down, subjects across in the order in which they come; by numbers, and told above, where their names are too wide.
 * @param order ids of laws, as they are told; those that are not in it come last
 */
export function table(
  findings: readonly Finding[],
  order: readonly string[] = [],
  wide = WIDE,
): string {
  const subjects = [...new Set(findings.map(({ subject }) => subject))];
  const place = (id: string) => order.includes(id) ? order.indexOf(id) : order.length;
  const laws = new Map(
    findings.toSorted((a, b) => place(a.id) - place(b.id)).map(({ id, name }) => [id, name]),
  );
  const mark = (id: string, subject: string): Mark => {
    const found = findings.filter((f) => f.id === id && f.subject === subject);
    if (found.length === 0) return "–";
    return found.some(({ fault }) => fault !== undefined) ? "✗" : "✓";
  };
  const rows = Array.from(laws, ([id, name]) => [id, name, ...subjects.map((s) => mark(id, s))]);
  const named = aligned([["law", "", ...subjects], ...rows]);
  if (named.indexOf("\n") <= wide) return named;
  const numbers = subjects.map((_, n) => String(n + 1));
  const legend = aligned(subjects.map((subject, n) => [numbers[n]!, subject]));
  return `${legend}\n\n${aligned([["law", "", ...numbers], ...rows])}`;
}

/** What was broken and why, a line a finding; then the count. */
export function verdict(findings: readonly Finding[]): string {
  const broken = findings.filter(({ fault }) => fault !== undefined);
  const lines = broken.map(({ id, name, subject, fault }) =>
    `✗ ${id} ${name} [${subject}]: ${fault}`
  );
  const kept = findings.length - broken.length;
  return [...lines, `${kept} kept, ${broken.length} broken`].join("\n");
}
