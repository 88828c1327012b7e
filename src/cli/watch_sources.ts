/**
 * What `dev` runs beside its server: redeploys agents whose files change, as any client would. A process of its own, because bundling takes
 * memory and time that a server has not to give.
 */
import { basename } from "node:path";
import type { AgentId } from "../core/id.ts";
import type { Client } from "../http/client.ts";
import { type Action, type Call, printJson } from "./call.ts";
import { bundleWords } from "./code.ts";
import { stateWords } from "./deploy.ts";
import { frameLines, jsonOf, lineOf } from "./exit.ts";
import type { Home } from "./home.ts";
import { count, safe } from "./print.ts";
import { type Outcome, type Redeploy, redeploy } from "./redeploy.ts";
import { forgetSource, noteSource, readSources, type SourceNote, sourcesDir } from "./sources.ts";
import { watchDirs } from "./watch_dirs.ts";

export const watchSources: Action = async (call) => {
  endWithParent(call);
  const home = call.home();
  const server = call.server();
  const notesDir = sourcesDir(home);
  const watch = watchDirs();
  const agents = new Map<AgentId, Redeploy>();
  watch.set([notesDir]);
  while (true) {
    const notes = readSources(home);
    for (const id of agents.keys()) if (!notes.has(id)) agents.delete(id);
    for (const [id, note] of notes) await one(call, { home, server, agents }, id, note);
    watch.set([notesDir, ...[...agents.values()].flatMap((agent) => [...agent.dirs()])]);
    // What has changed before it was watched is no news to the watch.
    if (![...agents.values()].some((agent) => agent.stale())) await watch.next();
  }
};

interface Watching {
  readonly home: Home;
  readonly server: Client;
  readonly agents: Map<AgentId, Redeploy>;
}

async function one(
  call: Call,
  { home, server, agents }: Watching,
  id: AgentId,
  note: SourceNote,
): Promise<void> {
  const agent = agents.get(id) ?? redeploy(server, id);
  agents.set(id, agent);
  const outcome = await agent.look(note);
  if (outcome.kind === "deployed") {
    noteSource(home, id, { file: note.file, digest: outcome.bundle.digest });
  }
  if (outcome.kind === "gone") {
    agents.delete(id);
    forgetSource(home, id);
  }
  tell(call, id, note, outcome);
}

function tell(call: Call, id: AgentId, { file }: SourceNote, outcome: Outcome): void {
  const { terminal } = call;
  if (outcome.kind === "failed") {
    if (call.json) return terminal.note(JSON.stringify({ id, ...jsonOf(outcome.error) }));
    terminal.note(
      `${terminal.paintNote("red", "error:")} ${id} keeps its code: ${safe(lineOf(outcome.error))}`,
    );
    for (const line of frameLines(outcome.error)) {
      terminal.note(terminal.paintNote("dim", safe(line)));
    }
  }
  if (outcome.kind === "others" && !call.quiet) {
    const what = `${id} runs other code than ${basename(file)} now, which is not watched any more`;
    terminal.note(terminal.paintNote("yellow", what));
  }
  if (outcome.kind !== "deployed" || call.quiet) return;
  const { bundle, deployed, files } = outcome;
  const { bytes, ms } = bundle;
  if (call.json) return printJson(call, { id, redeployed: deployed, files, bytes, ms });
  const changed = files === undefined ? "changed meanwhile" : `${count(files, "file")} changed`;
  terminal.print(
    `${terminal.paint("bold", id)} redeployed  ${changed} · ${bundleWords(bundle)} · ` +
      stateWords(deployed),
  );
}

/** The other end of standard input is the server's; it ends with it, however that ends. */
async function endWithParent(call: Call): Promise<never> {
  for await (const _ of call.terminal.input) {
    // Nothing is said.
  }
  Deno.exit(0);
}
