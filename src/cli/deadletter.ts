/** `agentd deadletter`: envelopes that were given up: look, put back, throw away. */
import type { FileService } from "../fs/file.ts";
import { callText, readJson } from "../fs/use.ts";
import { envelopeId } from "../core/id.ts";
import {
  type Action,
  answer,
  arg,
  type Call,
  maybeArg,
  option,
  printJson,
  withProgress,
} from "./call.ts";
import { usage } from "./exit.ts";
import { ago, clip, count, safeLine, table } from "./print.ts";
import { idOf, inAgent } from "./target.ts";
import { wordIn } from "./word.ts";

const DIR = "/deadletter";
/** The whole error is in `show`. */
const ERROR_COLUMNS = 80;

export const deadletter: Action = (call) => {
  const agent = idOf(arg(call, "id"));
  return inAgent(agent, () => act(call, call.server().files(agent), agent));
};

async function act(call: Call, files: FileService, agent: string): Promise<void> {
  await wordIn(call, "deadletter", { list, show, replay, discard })(call, files, agent);
}

/** A line of `/deadletter/list`. */
export interface Letter {
  readonly id: string;
  readonly sender: string;
  readonly reason: string;
  readonly at: string;
  readonly tries: number;
  readonly last_error: { readonly code: string; readonly message: string } | null;
}

async function list(call: Call, files: FileService, agent: string): Promise<void> {
  const reading = readJson<readonly Letter[]>(files, `${DIR}/list`);
  const letters = await withProgress(call, "reading dead letters", reading);
  answer(call, letters, () => {
    if (letters.length === 0) return [`${agent} has no dead letters.`];
    const now = Date.now();
    return table(
      [
        { title: "ENVELOPE" },
        { title: "FROM" },
        { title: "REASON" },
        { title: "TRIES", right: true },
        { title: "WHEN" },
        { title: "LAST ERROR" },
      ],
      letters.map((letter) => [
        letter.id,
        safeLine(letter.sender),
        letter.reason,
        String(letter.tries),
        ago(letter.at, now),
        letter.last_error === null ? "-" : clip(safeLine(letter.last_error.message), ERROR_COLUMNS),
      ]),
      call.terminal.paint,
    );
  });
}

async function show(call: Call, files: FileService): Promise<void> {
  printJson(call, await readJson(files, `${DIR}/${letterOf(call)}`));
}

async function replay(call: Call, files: FileService): Promise<void> {
  const letter = maybeArg(call, "letter") === "all" ? "all" : letterOf(call);
  await tell(call, files, `replay ${letter}${option(call, "fresh") ? " fresh" : ""}`);
}

async function discard(call: Call, files: FileService): Promise<void> {
  await tell(call, files, `discard ${letterOf(call)}`);
}

function letterOf(call: Call): string {
  const letter = maybeArg(call, "letter");
  if (letter === undefined) {
    throw usage("Which envelope?", `${call.program} deadletter ${arg(call, "id")} lists them.`);
  }
  try {
    return envelopeId(letter);
  } catch (error) {
    throw usage(`${letter}: ${(error as { detail?: string }).detail}`);
  }
}

async function tell(call: Call, files: FileService, words: string): Promise<void> {
  const told = await withProgress(call, words, callText(files, `${DIR}/ctl`, words));
  const { replayed, discarded } = JSON.parse(told) as { replayed?: number; discarded?: number };
  answer(call, { replayed, discarded }, () => [
    replayed === undefined
      ? `${count(discarded ?? 0, "message")} thrown away`
      : `${count(replayed, "message")} back in the inbox`,
  ]);
}
