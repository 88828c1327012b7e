/** `agentd approvals`, `approve` and `deny`: what agents ask of people, and the answers. */
import type { Approval } from "../core/approval.ts";
import type { AgentId } from "../core/id.ts";
import { FileError, hasCode } from "../fs/error.ts";
import type { FileService } from "../fs/file.ts";
import { readJson, writeText } from "../fs/use.ts";
import type { Client } from "../http/client.ts";
import { type Action, answer, arg, type Call, maybeArg, option, withProgress } from "./call.ts";
import type { Letter } from "./deadletter.ts";
import { EXIT, trouble } from "./exit.ts";
import { ago, clip, dollars, safeLine, table } from "./print.ts";
import { idOf, inAgent } from "./target.ts";

const DIR = "/approvals";
/** Agents that are asked at a time. */
const AT_ONCE = 8;
/** The whole request is in the question's file. */
const SHOWN_COLUMNS = 60;

type Asked = Approval & { readonly agent: AgentId };

export const approvals: Action = async (call) => {
  const id = maybeArg(call, "id");
  const server = call.server();
  const asking = id === undefined ? openOfAll(server) : openOf(server, idOf(id));
  const open = await withProgress(call, "asking what waits", asking);
  answer(call, open, () => lines(call, open));
};

export const decide = (word: "approve" | "deny"): Action => async (call) => {
  const approval = arg(call, "approval");
  const server = call.server();
  const named = option<string>(call, "agent");
  const finding = named === undefined
    ? find(server, approval)
    : Promise.resolve<AgentId | undefined>(idOf(named));
  const agent = await withProgress(call, `looking for ${approval}`, finding);
  if (agent === undefined) throw unknown(call, approval);
  const files = server.files(agent);
  const at = `${DIR}/${encodeName(approval)}`;
  await inAgent(agent, () => writeText(files, at, word));
  const decided = await inAgent(agent, () => readJson<Approval>(files, at));
  const late = word === "approve" ? await givenUp(files, approval) : undefined;
  answer(call, { ...decided, agent }, () => [
    `${agent}: ${what(decided)} ${word === "approve" ? "may pass, once" : "was denied"}`,
    ...late === undefined ? [] : [
      `The message that asked was given up meanwhile; once more: ` +
      `${call.program} deadletter ${agent} replay ${late}`,
    ],
  ]);
};

/** The dead letter that is one because the yes came late: its last error names the approval. */
async function givenUp(files: FileService, approval: string): Promise<string | undefined> {
  try {
    const letters = await readJson<readonly Letter[]>(files, "/deadletter/list");
    return letters.find(({ last_error }) => last_error?.message.includes(approval))?.id;
  } catch (error) {
    // The yes is given; what cannot be seen, as where the directory is not mounted, is no fault of it.
    if (error instanceof FileError) return undefined;
    throw error;
  }
}

/** What is no name cannot be an id either. */
function encodeName(id: string): string {
  return id.replaceAll("/", "_");
}

function unknown(call: Call, approval: string): Error {
  return trouble(
    EXIT.notFound,
    `No agent has asked ${safeLine(approval)}`,
    `${call.program} approvals lists what waits.`,
  );
}

async function openOf(server: Client, agent: AgentId): Promise<Asked[]> {
  const path = `${DIR}/open`;
  const open = await inAgent(agent, () => readJson<Approval[]>(server.files(agent), path));
  return open.map((approval) => ({ ...approval, agent }));
}

/** The oldest first, whoever asks. */
export async function openOfAll(server: Client): Promise<Asked[]> {
  const found: Asked[] = [];
  await eachAgent(server, async (agent) => {
    found.push(...await openOf(server, agent));
    return false;
  });
  return found.sort((a, b) => a.created_at < b.created_at ? -1 : 1);
}

async function find(server: Client, approval: string): Promise<AgentId | undefined> {
  let found: AgentId | undefined;
  await eachAgent(server, async (agent) => {
    try {
      await server.files(agent).stat(`${DIR}/${encodeName(approval)}`);
      found = agent;
    } catch (error) {
      if (!hasCode(error, "not_found")) throw error;
    }
    return found !== undefined;
  });
  return found;
}

/** Some agents at a time, until one says that it is enough. One that was deleted in between asks nothing. */
async function eachAgent(
  server: Client,
  ask: (agent: AgentId) => Promise<boolean>,
): Promise<void> {
  const agents = server.all()[Symbol.asyncIterator]();
  let isEnough = false;
  async function worker(): Promise<void> {
    while (!isEnough) {
      const { done, value } = await agents.next();
      if (done) return;
      try {
        if (await ask(value.id)) isEnough = true;
      } catch (error) {
        if (!hasCode(error, "not_found")) throw error;
      }
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

function what({ op, path, amount_micro_usd }: Approval): string {
  const cost = amount_micro_usd === null ? "" : ` for up to ${dollars(amount_micro_usd)}`;
  return `${op} ${safeLine(path)}${cost}`;
}

function lines(call: Call, open: readonly Asked[]): string[] {
  if (open.length === 0) return ["Nothing waits for an answer."];
  const now = Date.now();
  return [
    ...table(
      [
        { title: "APPROVAL" },
        { title: "AGENT" },
        { title: "WHAT" },
        { title: "COSTS", right: true },
        { title: "ENDS" },
        { title: "WHY" },
        { title: "REQUEST" },
      ],
      open.map((asked) => [
        asked.id,
        asked.agent,
        `${asked.op} ${clip(safeLine(asked.path), SHOWN_COLUMNS)}`,
        asked.amount_micro_usd === null ? "-" : dollars(asked.amount_micro_usd),
        ago(asked.expires_at, now),
        clip(safeLine(asked.reason), SHOWN_COLUMNS),
        clip(safeLine(asked.request), SHOWN_COLUMNS),
      ]),
      call.terminal.paint,
    ),
    call.terminal.paint(
      "dim",
      `${call.program} approve ${open[0]!.id} lets it pass once; deny says no`,
    ),
  ];
}
