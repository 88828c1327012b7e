/** Secrets by their names: what they are bound to, who may use one, and what takes them out of all that is kept. No verb gives one to an agent or an operator. */
import { FileError } from "../fs/error.ts";
import { type Endpoint, hostMatches, hostPattern } from "./hosts.ts";
import { type AgentId, agentId, isoTime } from "./id.ts";
import { type Known, type Redactor, redactor } from "./redact.ts";
import { byteText, folded } from "./spelling.ts";

/** Who may use a secret. Nothing is bound to everything. */
export interface Binding {
  /** `/http`, `/compute` … */
  readonly mounts: readonly string[];
  /** Host patterns, to which `/http` may send it; a pattern without a scheme means https. */
  readonly hosts: readonly string[];
  /** All agents if absent. */
  readonly agents?: readonly AgentId[] | undefined;
}

export interface SecretInfo extends Binding {
  readonly name: string;
  /** ISO 8601; when its value was set. */
  readonly created_at: string;
}

export interface KeptSecret extends Binding {
  readonly name: string;
  readonly value: string;
  /** Milliseconds. */
  readonly createdMs: number;
}

/** Where secrets are kept: all of them at once, or none. */
export interface SecretStore {
  load(): Promise<readonly KeptSecret[]>;
  /** Durable when it resolves. */
  save(secrets: readonly KeptSecret[]): Promise<void>;
}

/** What a secret is wanted for. */
export interface SecretUse {
  readonly mount: string;
  /** Absent: the runtime itself, for all agents. */
  readonly agent?: AgentId;
  /** Where it would be sent; `/http` always says it. */
  readonly host?: Endpoint;
}

export interface SecretChange extends Partial<Binding> {
  /** Absent: the value stays, and only what it is bound to changes. */
  readonly value?: string | undefined;
}

export interface Secrets {
  /** In byte order of their names. */
  list(): readonly SecretInfo[];
  /**
   * Sets a value, or changes what it is bound to; what is left out stays as it was. Durable when it resolves. Rejects with `invalid_request` for
   * a name or value that cannot be one, and for one that is bound to nothing; `quota_exceeded`.
   */
  set(name: string, change: SecretChange): Promise<{ info: SecretInfo; created: boolean }>;
  /** Rejects with `not_found`. */
  remove(name: string): Promise<void>;
  /** The value, for whoever sends it on. @throws FileError `not_found`, `permission_denied` for who it is not bound to */
  use(name: string, use: SecretUse): string;
  readonly redactor: Redactor;
}

/** Shorter values stand in too many innocent places to be taken out of them. */
export const MIN_SECRET = 6;
export const MAX_SECRET = 16 * 1024;
export const MAX_SECRETS = 256;
const MAX_BOUND = 64;
const NAME = /^[A-Z][A-Z0-9_]{0,63}$/;
const MOUNT = /^\/[a-z][a-z0-9_-]{0,62}$/;

/** @throws FileError `invalid_request` */
export function secretName(name: unknown): string {
  if (typeof name === "string" && NAME.test(name)) return name;
  throw refusal(
    "invalid_request",
    String(name).slice(0, 80),
    'a secret\'s name is 1 to 64 of A-Z, 0-9 and "_", and begins with a letter',
  );
}

/** @param now milliseconds since the Unix epoch */
export async function openSecrets(store: SecretStore, now: () => number): Promise<Secrets> {
  let kept = sorted(await store.load());
  /** With values that were replaced or removed: what is under way may still tell them. */
  let known: readonly Known[] = kept;
  let changing: Promise<unknown> = Promise.resolve();
  /** One change after the other, each seen once it is durable. */
  function change<T>(apply: () => { next: readonly KeptSecret[]; answer: T }): Promise<T> {
    const done = changing.then(async () => {
      const { next, answer } = apply();
      // Known before it is kept, so that no trace of its first moment tells it.
      known = [...known, ...next.filter(({ value }) => known.every((old) => old.value !== value))];
      await store.save(next);
      kept = next;
      return answer;
    });
    changing = done.catch(() => {});
    return done;
  }
  const find = (name: string) => kept.find((secret) => secret.name === name);
  function mustFind(name: string, advice: string): KeptSecret {
    const found = find(name);
    if (found) return found;
    throw refusal("not_found", name, `there is no secret ${name}; ${advice}`);
  }
  return {
    list: () => kept.map(infoOf),
    set: (name, asked) =>
      change(() => {
        const before = find(secretName(name));
        const secret = changed(name, before, asked, now());
        if (!before && kept.length >= MAX_SECRETS) {
          throw refusal("quota_exceeded", name, `at most ${MAX_SECRETS} secrets are kept`);
        }
        const others = kept.filter((other) => other !== before);
        return {
          next: sorted([...others, secret]),
          answer: { info: infoOf(secret), created: before === undefined },
        };
      }),
    remove: (name) =>
      change(() => {
        const gone = mustFind(name, "agentd secret list tells those there are");
        return { next: kept.filter((secret) => secret !== gone), answer: undefined };
      }),
    use(name, use) {
      const secret = mustFind(name, howToSet(name, use));
      mustBeBound(secret, use);
      return secret.value;
    },
    redactor: redactor(() => known),
  };
}

function howToSet(name: string, { mount, host }: SecretUse): string {
  const only = host === undefined ? "" : ` --host ${host.host}`;
  return `an operator sets it: agentd secret set ${name} --mount ${mount}${only}`;
}

function changed(
  name: string,
  before: KeptSecret | undefined,
  asked: SecretChange,
  nowMs: number,
): KeptSecret {
  const { value = before?.value } = asked;
  if (value === undefined) throw refusal("invalid_request", name, "a new secret has a value");
  if (asked.value !== undefined) mustBeSecret(name, asked.value);
  const hosts = (asked.hosts ?? before?.hosts ?? []).map(hostPattern);
  const mounts = asked.mounts ?? before?.mounts ?? (hosts.length > 0 ? ["/http"] : []);
  const agents = asked.agents ?? before?.agents;
  mustBeBinding(name, mounts, hosts, agents ?? []);
  return {
    name,
    value,
    mounts: [...new Set(mounts)],
    hosts: [...new Set(hosts)],
    ...(agents === undefined || agents.length === 0
      ? {}
      : { agents: [...new Set(agents.map(agentId))] }),
    createdMs: asked.value === undefined ? before!.createdMs : nowMs,
  };
}

/** @throws FileError `invalid_request`, which tells nothing of the value but its length */
function mustBeSecret(name: string, value: string): void {
  const fault = faultOf(value);
  if (fault !== undefined) throw refusal("invalid_request", name, fault);
}

function faultOf(value: string): string | undefined {
  if (value.length < MIN_SECRET) {
    return `a value has at least ${MIN_SECRET} characters, this one ${value.length}: ` +
      "a shorter one cannot be told from other text";
  }
  if (value.length > MAX_SECRET) {
    return `a value has at most ${MAX_SECRET} characters, this one ${value.length}`;
  }
  if (!value.isWellFormed() || value.includes("\0")) return "a value is text, without NUL";
  if (value.trim() !== value) {
    return "a value neither begins nor ends with white space, which is lost on its way";
  }
  if (folded(byteText("[secret ]")).includes(folded(byteText(value)))) {
    return "this value is a word of the program, found everywhere";
  }
  return undefined;
}

function mustBeBinding(
  name: string,
  mounts: readonly string[],
  hosts: readonly string[],
  agents: readonly string[],
): void {
  const refuse = (detail: string) => refusal("invalid_request", name, detail);
  if (mounts.length === 0) {
    throw refuse("a secret is bound to mounts: say which may use it, for example /http");
  }
  for (const mount of mounts) {
    if (!MOUNT.test(mount)) throw refuse(`${JSON.stringify(mount.slice(0, 80))} is no mount`);
  }
  if (mounts.includes("/http") && hosts.length === 0) {
    throw refuse("a secret for /http is bound to hosts: say to which it may be sent");
  }
  if (hosts.length > 0 && !mounts.includes("/http")) {
    throw refuse("hosts are for /http, which is not among its mounts");
  }
  if (Math.max(mounts.length, hosts.length, agents.length) > MAX_BOUND) {
    throw refuse(`a secret is bound to at most ${MAX_BOUND} mounts, hosts and agents`);
  }
}

function mustBeBound(secret: KeptSecret, { mount, agent, host }: SecretUse): void {
  const deny = (what: string) =>
    refusal("permission_denied", secret.name, `the secret is not bound to ${what}`);
  if (!secret.mounts.includes(mount)) throw deny(`${mount}, only to ${secret.mounts.join(", ")}`);
  if (agent !== undefined && secret.agents && !secret.agents.includes(agent)) {
    throw deny(`the agent ${agent}`);
  }
  if (!host && mount !== "/http") return;
  if (host && hostMatches(secret.hosts, host, { strict: true })) return;
  const place = host ? `${host.scheme}://${host.host}:${host.port}` : "no host";
  throw deny(`${place}, only to ${secret.hosts.join(", ")}`);
}

function infoOf({ name, mounts, hosts, agents, createdMs }: KeptSecret): SecretInfo {
  return {
    name,
    mounts,
    hosts,
    ...(agents === undefined ? {} : { agents }),
    created_at: isoTime(createdMs),
  };
}

function sorted(secrets: readonly KeptSecret[]): readonly KeptSecret[] {
  return secrets.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

function refusal(
  code: "invalid_request" | "not_found" | "permission_denied" | "quota_exceeded",
  name: string,
  detail: string,
): FileError {
  return new FileError(code, "use secret", name, { detail });
}
