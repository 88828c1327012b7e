/** `agentd secret`: what requests of agents may refer to by a name: set, listed, removed. A value is never a word of the command line, which others on the machine can see, and never shown again. */
import type { SecretInfo } from "../core/secrets.ts";
import { type Action, answer, type Call, maybeArg, option, withProgress } from "./call.ts";
import { usage } from "./exit.ts";
import { ago, safeLine, table } from "./print.ts";
import { idOf } from "./target.ts";
import { unseen } from "./unseen.ts";
import { wordIn } from "./word.ts";

export const secret: Action = async (call) =>
  await wordIn(call, "secret", { set, list, rm: remove })(call);

async function set(call: Call): Promise<void> {
  const name = nameIn(call, "set");
  const hosts = option<string[]>(call, "host")?.flatMap(words);
  const mounts = option<string[]>(call, "mount")?.flatMap(words);
  const agents = option<string[]>(call, "agent")?.flatMap(words).map(idOf);
  const server = call.server();
  const value = option<boolean>(call, "keepValue") ? undefined : await valueFor(call, name);
  const { info, created } = await withProgress(
    call,
    "setting the secret",
    server.secrets.set(name, {
      ...(value === undefined ? {} : { value }),
      ...(hosts === undefined ? {} : { hosts }),
      ...(mounts === undefined ? {} : { mounts }),
      ...(agents === undefined ? {} : { agents }),
    }),
  );
  answer(call, { secret: info, created }, () => [`${name} ${created ? "set" : "changed"}`]);
  if (call.json || call.quiet) return;
  call.terminal.note(call.terminal.paintNote("dim", `bound to ${boundTo(info)}`));
}

const words = (text: string) => text.split(",");

async function valueFor(call: Call, name: string): Promise<string> {
  return await unseen(call, `value of ${name}: `, `${call.program} secret set ${name} < file`);
}

function boundTo({ mounts, hosts, agents }: SecretInfo): string {
  const to = hosts.length === 0 ? "" : ` · to ${hosts.join(", ")}`;
  return `${mounts.join(", ")}${to} · ${agents === undefined ? "all agents" : agents.join(", ")}`;
}

async function list(call: Call): Promise<void> {
  const secrets = await withProgress(call, "listing secrets", call.server().secrets.list());
  answer(call, secrets, () => secrets.length === 0 ? [none(call)] : listed(call, secrets));
}

function none(call: Call): string {
  return `No secrets. Set one: ${call.program} secret set API_KEY --host api.example.com`;
}

function listed(call: Call, secrets: readonly SecretInfo[]): string[] {
  const now = Date.now();
  const { paint } = call.terminal;
  return table(
    ["NAME", "MOUNTS", "HOSTS", "AGENTS", "SET"].map((title) => ({ title })),
    secrets.map(({ name, mounts, hosts, agents, created_at }) => [
      paint("bold", safeLine(name)),
      safeLine(mounts.join(",")),
      safeLine(hosts.join(",")) || "-",
      agents === undefined ? "all" : agents.join(","),
      ago(created_at, now),
    ]),
    paint,
  );
}

async function remove(call: Call): Promise<void> {
  const name = nameIn(call, "rm");
  await withProgress(call, "removing", call.server().secrets.remove(name));
  answer(call, { removed: name }, () => [`${name} removed`]);
}

function nameIn(call: Call, word: string): string {
  const name = maybeArg(call, "name");
  if (name !== undefined) return name;
  throw usage("Which secret?", `${call.program} secret ${word} NAME; secret list shows names.`);
}
