/** `agentd token`: tokens for somebody else's program: made for some agents, listed, revoked. */
import { type AgentId, agentId } from "../core/id.ts";
import { type Can, CANS, type TokenGrant } from "../core/tokens.ts";
import { FileError } from "../fs/error.ts";
import { type Action, answer, type Call, maybeArg, option, withProgress } from "./call.ts";
import { usage } from "./exit.ts";
import { ago, count, safeLine, table } from "./print.ts";
import type { Paint } from "./terminal.ts";
import { wordIn } from "./word.ts";

export const token: Action = async (call) =>
  await wordIn(call, "token", { create, list, revoke })(call);

/** The token is alone on standard output, so that a script can take it from there. */
async function create(call: Call): Promise<void> {
  if (maybeArg(call, "id") !== undefined) {
    throw usage("token create takes options alone", `Say which agents with --agent.`);
  }
  const agents = agentsOf(call, option<string[]>(call, "agent") ?? []);
  const can = option<Can>(call, "can");
  if (can === undefined) throw usage("What may it do?", `--can is one of ${CANS.join(", ")}.`);
  const name = option<string>(call, "name");
  const expires = option<number>(call, "expires");
  const made = await withProgress(
    call,
    "making a token",
    call.server().tokens.create({
      agents,
      can,
      ...(name === undefined ? {} : { name }),
      ...(expires === undefined ? {} : { expiresAt: Date.now() + expires }),
    }),
  );
  answer(call, made, () => [made.token]);
  if (call.json || call.quiet) return;
  const { id, expires_at } = made.grant;
  const until = expires_at === undefined ? "until it is revoked" : `until ${expires_at}`;
  call.terminal.note(call.terminal.paintNote(
    "dim",
    `told this once · may ${can} ${words(agents)} ${until} · revoke it: ` +
      `${call.program} token revoke ${id}`,
  ));
}

function agentsOf(call: Call, given: readonly string[]): "*" | readonly AgentId[] {
  if (given.length === 0) {
    throw usage("For which agents?", `${call.program} token create --agent bob; '*' is all.`);
  }
  const ids = given.flatMap((text) => text.split(","));
  if (!ids.includes("*")) return ids.map(idOf);
  if (ids.length === 1) return "*";
  throw usage("--agent '*' is all agents; name no others beside it");
}

function idOf(text: string): AgentId {
  try {
    return agentId(text);
  } catch (error) {
    if (error instanceof FileError) throw usage(`--agent ${text}: ${error.detail}`);
    throw error;
  }
}

function words(agents: "*" | readonly AgentId[]): string {
  if (agents === "*") return "all agents";
  return agents.length <= 3 ? agents.join(", ") : count(agents.length, "agent");
}

async function list(call: Call): Promise<void> {
  const grants = await withProgress(call, "listing tokens", call.server().tokens.list());
  answer(call, grants, () => grants.length === 0 ? [none(call)] : listed(call, grants));
}

function none(call: Call): string {
  return `No tokens. Make one: ${call.program} token create --agent bob --can read`;
}

function listed(call: Call, grants: readonly TokenGrant[]): string[] {
  const now = Date.now();
  const { paint } = call.terminal;
  return table(
    [
      { title: "ID" },
      { title: "NAME" },
      { title: "CAN" },
      { title: "AGENTS" },
      { title: "MADE" },
      { title: "EXPIRES" },
    ],
    grants.toSorted((a, b) => a.created_at < b.created_at ? -1 : 1).map((grant) => [
      paint("bold", grant.id),
      grant.name === grant.id ? "-" : safeLine(grant.name),
      grant.can,
      words(grant.agents),
      ago(grant.created_at, now),
      expiry(grant, now, paint),
    ]),
    paint,
  );
}

function expiry({ expires_at }: TokenGrant, now: number, paint: Paint): string {
  if (expires_at === undefined) return "never";
  const told = ago(expires_at, now);
  return Date.parse(expires_at) <= now ? paint("red", `${told} (it lets nobody in)`) : told;
}

async function revoke(call: Call): Promise<void> {
  const id = maybeArg(call, "id");
  if (id === undefined) {
    throw usage("Which token?", `${call.program} token list shows their ids.`);
  }
  await withProgress(call, "revoking", call.server().tokens.revoke(id));
  answer(call, { revoked: id }, () => [`${id} revoked`]);
}
