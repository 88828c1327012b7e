/** Two agents that have something in every file, and everybody who may come to them. */
import { createAgentd } from "../../src/agentd.ts";
import { type MemoryBackend, memoryBackend } from "../../src/backends/memory.ts";
import { announcer } from "../../src/core/announce.ts";
import { openApprovals } from "../../src/core/approvals.ts";
import { digest } from "../../src/core/code.ts";
import { agentId, uuidv7 } from "../../src/core/id.ts";
import type { DirectoryProvider } from "../../src/core/provider.ts";
import { FileError } from "../../src/fs/error.ts";
import { memoryFiles } from "../../src/fs/memory.ts";
import { HOOKS } from "../../src/core/keys.ts";
import type { Runtime } from "../../src/core/runtime.ts";
import { openSecrets } from "../../src/core/secrets.ts";
import type { FileService } from "../../src/fs/file.ts";
import { callJson, callText, entries, readText, writeText } from "../../src/fs/use.ts";
import { inlineHost } from "../../src/hosts/inline.ts";
import { openHooks, type SecretFile } from "../../src/http/hooks/store.ts";
import { createRouter, type Peer, type Router } from "../../src/http/app.ts";
import { memorySecrets } from "../core/memory_secrets.ts";
import { memorySigner } from "../../src/providers/signer/memory.ts";
import type { Can, Standing } from "./access_rules.ts";

export const THIS = agentId("bob");
export const OTHER = agentId("other");
export const HOOK = "deploys";
export const SECRET = "API_KEY";
const TOKEN = "the-operators-own";
const HOUR_MS = 3_600_000;
const MODULE = "export default { name: 'quiet', onTrigger() {} };";

const LOOPBACK: Peer = { local: true, transport: "tcp" };
const SOCKET: Peer = { local: true, transport: "unix" };
const FAR: Peer = { local: false, transport: "tcp" };

export interface Caller {
  readonly name: string;
  readonly standing: Standing;
  readonly peer: Peer;
  readonly headers: Readonly<Record<string, string>>;
  /** Comes to a server that was started with --require-token. */
  readonly strict: boolean;
  /** Agents that it is told of. */
  readonly sees: readonly string[];
}

export interface World {
  readonly backend: MemoryBackend;
  readonly router: Router;
  readonly callers: readonly Caller[];
  /** Puts back what a request has taken or changed. */
  furnish(): Promise<void>;
  /** Every path that the agent's files have now, as their own services list them. */
  paths(): Promise<string[]>;
  /** The body of a rule, with what only this world knows filled in. */
  fill(body: string): string;
  ask(caller: Caller, url: string, init: RequestInit): Promise<Response>;
}

export async function accessWorld(): Promise<World> {
  const backend = memoryBackend();
  const places = { "/host/docs": memoryFiles(backend), "/host/repo": memoryFiles(backend) };
  const runtime = await createAgentd({
    backend,
    signer: memorySigner(),
    directories: hostDirectories(places),
    moduleHost: inlineHost(
      {},
      (source) =>
        import(`data:text/javascript,${encodeURIComponent(new TextDecoder().decode(source))}`),
    ),
  });
  const hooks = await openHooks({
    storage: backend.storage(HOOKS),
    secrets: secretsInMap(),
    resolve: () => Promise.resolve(undefined),
    now: backend.now,
    report: () => {},
  });
  const secrets = await openSecrets(memorySecrets(), backend.now);
  const routers = [false, true].map((requireToken) =>
    createRouter({
      runtime,
      auth: { tokenDigest: digest(TOKEN), requireToken },
      clock: backend,
      hooks,
      secrets,
      backup: () => Promise.resolve({ bytes: 1, chunks: ReadableStream.from([new Uint8Array(1)]) }),
    })
  ) as [Router, Router];
  /** A token that may be revoked. */
  let spare = "";
  const furnish = async () => {
    await furnished(runtime);
    await questioned(backend);
    for (const place of Object.values(places)) await writeText(place, "/readme", "text");
    await hooks.put(HOOK, { scheme: "github", agent: THIS, secret: "a secret of enough letters" });
    await secrets.set(SECRET, { value: "a value of enough letters", hosts: ["api.example.com"] });
    spare = await spareToken(runtime);
  };
  await furnish();
  const callers = await everybody(runtime, backend);
  const known = await knownOf(runtime);
  let asked = 0;

  return {
    backend,
    router: routers[0],
    callers,
    furnish,
    paths: async () => await pathsBelow(await filesOf(runtime), "/"),
    fill: (body) =>
      Object.entries(known).reduce(
        (text, [name, value]) =>
          text.replaceAll(`"{${name}}"`, JSON.stringify(value)).replaceAll(`{${name}}`, value),
        body.replaceAll("{new}", `new-${++asked}`).replaceAll("{token}", spare),
      ),
    async ask(caller, url, init) {
      const headers = { ...caller.headers, ...init.headers as Record<string, string> };
      const request = new Request(`http://localhost${url}`, { ...init, headers });
      // From an address of its own each time, so that wrong tokens are not limited.
      const peer = { ...caller.peer, address: `address-${++asked}` };
      return await routers[caller.strict ? 1 : 0].serve(request, peer);
    },
  };
}

const filesOf = (runtime: Runtime) => runtime.files(THIS, { viewer: "operator", name: "keeper" });

/** Something in every file; what is there already stays. */
async function furnished(runtime: Runtime): Promise<void> {
  for (const id of [THIS, OTHER]) {
    await runtime.info(id).catch(() => runtime.create({ id, agent: "echo" }));
  }
  await runtime.configure(THIS, { mounts: DIRECTORIES }, "keeper");
  for (const { id } of await runtime.list({})) {
    if (id !== THIS && id !== OTHER) await runtime.delete(id);
  }
  await runtime.resumeAll();
  const files = await filesOf(runtime);
  await writeText(files, "/ctl", "pause");
  await writeText(files, "/files/top.txt", "text");
  await writeText(files, "/files/folder/inner.txt", "text");
  await writeText(files, "/goals/g1.json", '{"description":"rest"}');
  await writeText(files, "/kv/key", "1");
  const policy = { max_depth: 1, policy: "dead_letter", dead_letter_max: 1_000 };
  await writeText(files, "/inbox/overflow", JSON.stringify(policy));
  while (Number(await readText(files, "/deadletter/count")) === 0) {
    await callText(files, "/inbox", "waits, or does not fit");
  }
}

/** A question without an answer. */
async function questioned(backend: MemoryBackend): Promise<void> {
  const id = () => uuidv7(backend.now(), backend.random(10));
  const book = openApprovals({
    storage: backend.storage(THIS),
    now: () => backend.now(),
    newId: id,
    trace: { add() {} },
    inbox: { accept: () => Promise.reject(new Error("nobody answers here")) },
    changes: announcer(),
  });
  const asked = await book.list({ limit: 1000 });
  if (asked.some(({ state }) => state === "pending")) return;
  await book.ask({
    mount: "/wallet",
    path: "/wallet/pay",
    op: "call",
    request: "5",
    digest: digest(id()),
    amountMicroUsd: 5,
    reason: "pay",
    envelopeId: null,
  });
}

const DIRECTORIES = {
  "/docs": { type: "dir", path: "/host/docs", access: "read_only" },
  "/repo": { type: "dir", path: "/host/repo", access: "read_write" },
} as const;

/** A host whose directories are in memory. */
function hostDirectories(places: Readonly<Record<string, FileService>>): DirectoryProvider {
  return {
    check(mount) {
      if (Object.hasOwn(places, mount.path)) return Promise.resolve(mount);
      return Promise.reject(new FileError("not_found", "mount", mount.path));
    },
    open: ({ path }) => ({ files: places[path]!, close: () => Promise.resolve() }),
  };
}

function secretsInMap(): SecretFile {
  const kept = new Map<string, string>();
  return {
    get: (name) => Promise.resolve(kept.get(name)),
    set: (name, value) => Promise.resolve(void kept.set(name, value)),
    remove: (name) => Promise.resolve(void kept.delete(name)),
  };
}

const SPARE = "spare";

async function spareToken({ tokens }: Runtime): Promise<string> {
  const there = tokens.list().find(({ name }) => name === SPARE);
  if (there) return there.id;
  return (await tokens.create({ name: SPARE, agents: "*", can: "read" })).grant.id;
}

/** What bodies name. */
async function knownOf(runtime: Runtime): Promise<Record<string, string>> {
  const files = await filesOf(runtime);
  const pubkey = (await readText(files, "/identity/pubkey")).trim();
  const secret = { to: pubkey, text: "secret" };
  const { text } = await callJson<{ text: string }>(files, "/identity/encrypt", secret);
  const gone = agentId("gone");
  await runtime.create({ id: gone, agent: "echo" });
  const chunks: Uint8Array[] = [];
  for await (const chunk of await runtime.exportAgent(gone)) chunks.push(chunk);
  await runtime.delete(gone);
  return {
    pubkey,
    secret: text,
    module: MODULE,
    mounts: await readText(files, "/mounts"),
    import: await new Blob(chunks as BlobPart[]).text(),
  };
}

async function pathsBelow(files: FileService, path: string): Promise<string[]> {
  const found = [path];
  const base = path === "/" ? "" : path;
  for await (const { name, dir } of entries(files, path)) {
    const inner = `${base}/${name}`;
    if (dir) found.push(...await pathsBelow(files, inner));
    else found.push(inner);
  }
  return found;
}

async function everybody(runtime: Runtime, backend: MemoryBackend): Promise<Caller[]> {
  const both = [THIS, OTHER];
  const caller = (
    name: string,
    standing: Standing,
    peer: Peer,
    token?: string,
    more: Partial<Caller> = {},
  ): Caller => ({
    name,
    standing,
    peer,
    strict: false,
    sees: standing === "stranger" ? [] : both,
    ...more,
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...more.headers,
    },
  });
  const through = { headers: { "x-forwarded-for": "203.0.113.9" } };
  const strict = { strict: true };
  const make = async (name: string, can: Can, agents: "*" | string[], expiresAt?: number) =>
    await runtime.tokens.create({
      name,
      can,
      agents,
      ...(expiresAt === undefined ? {} : { expiresAt }),
    });
  const revoked = await make("revoked", "operate", "*");
  await runtime.tokens.revoke(revoked.grant.id);
  const expired = await make("expired", "operate", "*", backend.now() + HOUR_MS);
  await backend.clock.advance(HOUR_MS);
  const tokens: Caller[] = [];
  for (const can of ["read", "send", "operate"] as const) {
    for (const agents of ["this", "other", "all"] as const) {
      const sees = { this: [THIS], other: [OTHER], all: both }[agents];
      const { token } = await make(`${can}-${agents}`, can, agents === "all" ? "*" : sees);
      tokens.push(
        caller(`token ${can} ${agents}`, { can, agents }, LOOPBACK, token, { sees }),
        caller(`token ${can} ${agents} from far`, { can, agents }, FAR, token, {
          sees,
          ...strict,
        }),
      );
    }
  }
  return [
    caller("operator", "operator", LOOPBACK, TOKEN),
    caller("operator from far", "operator", FAR, TOKEN, strict),
    caller("operator through a proxy", "operator", LOOPBACK, TOKEN, through),
    caller("unix socket", "operator", SOCKET),
    caller("unix socket with --require-token", "operator", SOCKET, undefined, strict),
    caller("local", "local", LOOPBACK),
    caller("local with --require-token", "stranger", LOOPBACK, undefined, strict),
    caller("local through a proxy", "stranger", LOOPBACK, undefined, through),
    caller("unix socket through a proxy", "stranger", SOCKET, undefined, through),
    caller("public", "stranger", FAR),
    caller("wrong token", "stranger", LOOPBACK, "wrong"),
    caller("wrong token on the socket", "stranger", SOCKET, "wrong"),
    caller("half a token", "stranger", LOOPBACK, TOKEN.slice(0, -1)),
    caller("revoked token", "stranger", LOOPBACK, revoked.token),
    caller("expired token", "stranger", LOOPBACK, expired.token),
    ...tokens,
  ];
}
