/** `agentd goals`: what an agent is after: look, add, say how far it is, end. */
import { FileError, hasCode } from "../fs/error.ts";
import { type FileService, MATCH_ANY, MATCH_NONE } from "../fs/file.ts";
import { entries, readJson, writeJson } from "../fs/use.ts";
import { type Action, answer, arg, type Call, printJson, restArg, withProgress } from "./call.ts";
import { usage } from "./exit.ts";
import { ago, safeLine, table } from "./print.ts";
import { idOf, inAgent } from "./target.ts";
import { wordIn } from "./word.ts";

const DIR = "/goals";

interface Goal {
  readonly id: string;
  readonly description: string;
  readonly status: "active" | "completed" | "abandoned";
  readonly progress: number;
  readonly updated_at: string;
}

export const goals: Action = (call) => {
  const agent = idOf(arg(call, "id"));
  return inAgent(agent, () => act(call, call.server().files(agent)));
};

async function act(call: Call, files: FileService): Promise<void> {
  await wordIn(call, "goals", { list, add, progress, done, drop, rm: remove })(call, files);
}

async function list(call: Call, files: FileService): Promise<void> {
  const found: Goal[] = [];
  for await (const { name } of entries(files, DIR)) {
    if (name.endsWith(".json")) found.push(await readJson<Goal>(files, `${DIR}/${name}`));
  }
  answer(call, found, () => found.length === 0 ? ["No goals."] : goalTable(call, found));
}

function goalTable(call: Call, found: readonly Goal[]): string[] {
  const now = Date.now();
  return table(
    [
      { title: "ID" },
      { title: "STATUS" },
      { title: "DONE", right: true },
      { title: "CHANGED" },
      { title: "GOAL" },
    ],
    found.map((goal) => [
      safeLine(goal.id),
      goal.status,
      `${Math.round(goal.progress * 100)}%`,
      ago(goal.updated_at, now),
      safeLine(goal.description),
    ]),
    call.terminal.paint,
  );
}

/** Under the first free one of `g1`, `g2` …; two who add at once get two. */
async function add(call: Call, files: FileService): Promise<void> {
  const description = restArg(call, "what").join(" ");
  if (description === "") {
    throw usage("What is the goal?", `goals ${arg(call, "id")} add "learn to count"`);
  }
  await told(call, files, await addGoal(files, description));
}

/** Answers the new goal's id. */
export async function addGoal(files: FileService, description: string): Promise<string> {
  const taken = new Set<string>();
  for await (const { name } of entries(files, DIR)) taken.add(name);
  for (let n = 1;; n++) {
    const id = `g${n}`;
    if (taken.has(`${id}.json`)) continue;
    try {
      await writeJson(files, pathOf(id), { description }, { match: MATCH_NONE });
    } catch (error) {
      if (hasCode(error, "precondition_failed")) continue;
      throw error;
    }
    return id;
  }
}

async function progress(call: Call, files: FileService): Promise<void> {
  const [id, text, ...more] = restArg(call, "what");
  const percent = /^(\d+(?:\.\d+)?)%$/.exec(text ?? "")?.[1];
  const value = percent === undefined ? Number(text) : Number(percent) / 100;
  if (id === undefined || more.length > 0 || text === undefined || !(value >= 0 && value <= 1)) {
    throw usage(
      "Say a goal and how far it is, from 0 to 1",
      `goals ${arg(call, "id")} progress g1 0.5`,
    );
  }
  await change(call, files, id, { progress: value });
}

async function done(call: Call, files: FileService): Promise<void> {
  await change(call, files, only(call), { status: "completed", progress: 1 });
}

async function drop(call: Call, files: FileService): Promise<void> {
  await change(call, files, only(call), { status: "abandoned" });
}

/** The one goal that is named. */
function only(call: Call): string {
  const [id, ...more] = restArg(call, "what");
  if (id === undefined || more.length > 0) {
    throw usage("Which goal?", `goals ${arg(call, "id")} lists them.`);
  }
  return id;
}

/** Changes fields of a goal that is there; what is not named stays as it is. */
async function change(
  call: Call,
  files: FileService,
  id: string,
  fields: Partial<Goal>,
): Promise<void> {
  const writing = writeJson(files, pathOf(id), fields, { match: MATCH_ANY });
  try {
    await withProgress(call, `changing ${id}`, writing);
  } catch (error) {
    if (!hasCode(error, "precondition_failed")) throw error;
    throw new FileError("not_found", "change", id, { detail: "there is no such goal" });
  }
  await told(call, files, id);
}

async function told(call: Call, files: FileService, id: string): Promise<void> {
  const goal = await readJson<Goal>(files, pathOf(id));
  answer(call, goal, () => [
    `${goal.id}   ${goal.status} · ${Math.round(goal.progress * 100)}% · ${
      safeLine(goal.description)
    }`,
  ]);
}

async function remove(call: Call, files: FileService): Promise<void> {
  const id = only(call);
  await files.remove(pathOf(id));
  if (call.json) printJson(call, { removed: id });
}

function pathOf(id: string): string {
  const name = id.endsWith(".json") ? id : `${id}.json`;
  if (name.includes("/")) {
    throw new FileError("invalid_path", "open", id, { detail: "a goal's id is one name" });
  }
  return `${DIR}/${name}`;
}
