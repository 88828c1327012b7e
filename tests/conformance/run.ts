/**
 * Tries the laws on the subjects of this machine, or on a running server, and prints a table for each list.
 * Exit codes: 0 every law is kept, 1 one is broken, 2 the words typed make no sense.
 */
import type { Finding } from "../../conformance/law.ts";
import { LISTS } from "../../conformance/mod.ts";
import type { Trial } from "../../conformance/trial.ts";
import { runTask, type Task } from "../task.ts";
import { serverTrials } from "./http_subjects.ts";
import { TRIALS } from "./subjects.ts";
import { table, verdict } from "./table.ts";

const USAGE = `deno task conformance [S F3 …] [--url http://host:port] [--token TOKEN]

  S, F3 …        only these lists or laws
  --url URL      try the laws of HTTP on a running server
  --token TOKEN  its operator's token (else AGENTD_TOKEN); without one, what a local caller may`;

const OPTIONS = {
  url: { type: "string" },
  token: { type: "string" },
} as const;

/** The trials that were asked for: a letter takes its list, an id its law; nothing asked takes all. */
function chosen(all: readonly Trial[], asked: readonly string[]): Trial[] {
  return all.filter(({ id }) => asked.length === 0 || asked.includes(id) || asked.includes(id[0]!));
}

const TASK: Task<typeof OPTIONS> = {
  usage: USAGE,
  options: OPTIONS,
  takesWords: true,
  async run({ values, positionals: asked }, misused) {
    const { url, token = Deno.env.get("AGENTD_TOKEN") } = values;
    if (url !== undefined && !URL.canParse(url)) return misused(`"${url}" is no URL.`);
    const all = url === undefined ? TRIALS : serverTrials(url, token);
    const unknown = asked.find((word) => chosen(all, [word]).length === 0);
    if (unknown !== undefined) return misused(`No law or list to try is called "${unknown}".`);

    const findings: Finding[] = [];
    for (const trial of chosen(all, asked)) findings.push(await trial.run());
    for (const { title, laws } of LISTS) {
      const order = laws.map(({ id }) => id);
      const rows = findings.filter(({ id }) => order.includes(id));
      if (rows.length > 0) console.log(`${title}\n\n${table(rows, order)}\n`);
    }
    console.log(verdict(findings));
    return findings.some(({ fault }) => fault !== undefined) ? 1 : 0;
  },
};

if (import.meta.main) await runTask(TASK);
