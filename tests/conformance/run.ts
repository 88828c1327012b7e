/**
 * Tries the laws on the subjects of this machine and prints the table.
 * Exit codes: 0 every law is kept, 1 one is broken, 2 the words typed make no sense.
 */
import type { Finding } from "../../conformance/law.ts";
import { LISTS } from "../../conformance/mod.ts";
import type { Trial } from "../../conformance/trial.ts";
import { TRIALS } from "./subjects.ts";
import { table, verdict } from "./table.ts";

const USAGE = `deno task conformance [S F3 …]

  S, F3 …  only these lists or laws`;

/** The trials that were asked for: a letter takes its list, an id its law; nothing asked takes all. */
export function chosen(all: readonly Trial[], asked: readonly string[]): Trial[] {
  return all.filter(({ id }) => asked.length === 0 || asked.includes(id) || asked.includes(id[0]!));
}

async function main(asked: readonly string[]): Promise<number> {
  const unknown = asked.find((word) => chosen(TRIALS, [word]).length === 0);
  if (unknown !== undefined) {
    console.error(`No law or list of laws is called "${unknown}".\n\n${USAGE}`);
    return 2;
  }
  const findings: Finding[] = [];
  for (const trial of chosen(TRIALS, asked)) findings.push(await trial.run());
  const order = LISTS.flatMap(({ laws }) => laws.map(({ id }) => id));
  console.log(`${table(findings, order)}\n\n${verdict(findings)}`);
  return findings.some(({ fault }) => fault !== undefined) ? 1 : 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
