/** `agentd hook`: who else may send to an agent, by a signature: made, listed, removed. A secret is never a word of the command line, which others on the machine can see. */
import type { Json } from "../core/envelope.ts";
import type { AgentId } from "../core/id.ts";
import { hasCode } from "../fs/error.ts";
import type { Client } from "../http/client.ts";
import type { ShownHook } from "../http/hooks/hook.ts";
import { type Action, answer, type Call, maybeArg, option, withProgress } from "./call.ts";
import { usage } from "./exit.ts";
import { ago, safeLine, table } from "./print.ts";
import { idOf } from "./target.ts";
import { unseen } from "./unseen.ts";
import { wordIn } from "./word.ts";

const SECRET_BYTES = 32;

export const hook: Action = async (call) =>
  await wordIn(call, "hook", { add, list, rm: remove })(call);

/** A secret that is made here is alone on standard output, so that a script can take it from there. */
async function add(call: Call): Promise<void> {
  const name = nameIn(call, "add");
  const agent = maybeArg(call, "agent");
  if (agent === undefined) throw usage("For which agent?", `${call.program} hook add ${name} bob`);
  const server = call.server();
  const work = async () => {
    const there = (await server.hooks.list()).some((hook) => hook.name === name);
    const { secret, made } = await secretOf(call, there);
    const put = await server.hooks.put(name, {
      agent: idOf(agent),
      ...schemeOf(call),
      ...(secret === undefined ? {} : { secret }),
    });
    return { ...put, made, kept: secret === undefined };
  };
  const { hook, created, made, kept } = await withProgress(call, "putting the hook", work());
  answer(
    call,
    { hook, created, ...(made === undefined ? {} : { secret: made }) },
    () => made === undefined ? [`${name} ${created ? "added" : "changed"}`] : [made],
  );
  if (call.json || call.quiet) return;
  const secretIs = made ? " · its secret is told this once" : kept ? " · its secret stays" : "";
  call.terminal.note(call.terminal.paintNote(
    "dim",
    `${name} → ${hook.agent} · POST ${server.url}${hook.url}${secretIs}`,
  ));
  // A hook may be there before its agent is; a name that was mistyped looks the same.
  if (await isThere(server, idOf(agent))) return;
  const missing = `there is no agent ${hook.agent}: what comes is refused until there is`;
  call.terminal.note(`${call.terminal.paintNote("yellow", "warning:")} ${missing}`);
}

async function isThere(server: Client, id: AgentId): Promise<boolean> {
  try {
    await server.info(id);
    return true;
  } catch (error) {
    if (hasCode(error, "not_found")) return false;
    throw error;
  }
}

interface Secret {
  readonly secret: Json | undefined;
  /** Made here, and so to be told. */
  readonly made: string | undefined;
}

async function secretOf(call: Call, there: boolean): Promise<Secret> {
  const from = option<string>(call, "secret");
  if (from === undefined && there) return { secret: undefined, made: undefined };
  if (from === undefined) {
    const bytes = crypto.getRandomValues(new Uint8Array(SECRET_BYTES));
    const made = bytes.toBase64({ alphabet: "base64url", omitPadding: true });
    return { secret: made, made };
  }
  if (from === "-") return { secret: await typed(call), made: undefined };
  const [, kind, where] = /^(env|file):(.+)$/.exec(from) ?? [];
  if (kind === undefined) {
    throw usage(
      "--secret names where the secret is, and never the secret itself",
      "Say - for standard input, env:AGENTD_NAME or file:/PATH for a place that the server knows, " +
        "or nothing for a new one.",
    );
  }
  return { secret: { [kind]: where! }, made: undefined };
}

async function typed(call: Call): Promise<string> {
  const how = `${call.program} hook add ${nameIn(call, "add")} bob --secret - < file`;
  return await unseen(call, "secret: ", how);
}

function schemeOf(call: Call): { [name: string]: Json } {
  const own: [string, string][] = [
    ["signatureHeader", "signature_header"],
    ["idHeader", "id_header"],
    ["eventHeader", "event_header"],
    ["timestampHeader", "timestamp_header"],
    ["tolerance", "tolerance_s"],
    ["signed", "signed"],
  ];
  const given = own.flatMap(([flag, name]): [string, Json][] => {
    const value = option<string | number>(call, flag);
    return value === undefined ? [] : [[name, value]];
  });
  const scheme = option<string>(call, "scheme") ?? (given.length ? "hmac-sha256" : "github");
  if (scheme === "github" && given.length) {
    throw usage(
      "GitHub's scheme has its own headers",
      "Say --scheme hmac-sha256 to name others.",
    );
  }
  return { scheme, ...Object.fromEntries(given) };
}

async function list(call: Call): Promise<void> {
  const hooks = await withProgress(call, "listing hooks", call.server().hooks.list());
  answer(call, hooks, () => hooks.length === 0 ? [none(call)] : listed(call, hooks));
}

function none(call: Call): string {
  return `No hooks. Make one: ${call.program} hook add github bob`;
}

function listed(call: Call, hooks: readonly ShownHook[]): string[] {
  const now = Date.now();
  const { paint } = call.terminal;
  return table(
    ["NAME", "AGENT", "SCHEME", "SECRET", "MADE", "URL"].map((title) => ({ title })),
    hooks.map(({ name, agent, scheme, secret, created_at, url }) => [
      paint("bold", safeLine(name)),
      agent,
      scheme,
      secret === "kept"
        ? "kept"
        : safeLine("env" in secret ? `env:${secret.env}` : `file:${secret.file}`),
      created_at === undefined ? "in settings" : ago(created_at, now),
      url,
    ]),
    paint,
  );
}

async function remove(call: Call): Promise<void> {
  const name = nameIn(call, "rm");
  await withProgress(call, "removing", call.server().hooks.remove(name));
  answer(call, { removed: name }, () => [`${name} removed`]);
}

function nameIn(call: Call, word: string): string {
  const name = maybeArg(call, "name");
  if (name !== undefined) return name;
  throw usage("Which hook?", `${call.program} hook ${word} NAME; hook list shows their names.`);
}
