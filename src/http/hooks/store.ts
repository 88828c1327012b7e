/** The hooks that there are: rows without a secret, and the secrets beside the keys, outside the database. */
import type { AgentStorage } from "../../core/storage.ts";
import { decodeJson, encodeJson } from "../../core/code.ts";
import { isoTime } from "../../core/id.ts";
import { hookKey } from "../../core/keys.ts";
import { FileError } from "../../fs/error.ts";
import {
  type Hook,
  type HookConfig,
  type HookInput,
  isHookName,
  MIN_SECRET_CHARS,
  type SecretReference,
} from "./hook.ts";
import { importSecret } from "./verify.ts";

/** Hooks at the same time. */
export const MAX_HOOKS = 1_000;

/** Keeps secrets in clear, since a message's signature cannot be checked without; where nobody else can read them, and never in the database. */
export interface SecretFile {
  get(name: string): Promise<string | undefined>;
  set(name: string, value: string): Promise<void>;
  remove(name: string): Promise<void>;
}

export interface HookStoreOptions {
  /** The rows of the owner `HOOKS`. */
  readonly storage: AgentStorage;
  readonly secrets: SecretFile;
  /** What a reference stands for now; undefined if there is no such thing. */
  readonly resolve: (reference: SecretReference) => Promise<string | undefined>;
  readonly now: () => number;
  /** Those of the server's settings, which stand before all others of their names. */
  readonly declared?: readonly Hook[];
  /** Told of hooks that cannot work: their secret is not to be had. */
  readonly report: (error: unknown) => void;
}

export interface HookStore {
  /** In order of name. */
  list(): readonly Hook[];
  get(name: string): { readonly hook: Hook; readonly key: CryptoKey | undefined } | undefined;
  /** @throws FileError `invalid_request`: no such name, or no secret */
  put(
    name: string,
    input: HookInput,
  ): Promise<{ readonly hook: Hook; readonly created: boolean }>;
  /** @throws FileError `not_found` */
  remove(name: string): Promise<void>;
}

interface Kept {
  readonly hook: Hook;
  readonly key: CryptoKey | undefined;
}

/** Opens the hooks that were put before. */
export async function openHooks(options: HookStoreOptions): Promise<HookStore> {
  const { storage, secrets, resolve, now, report, declared = [] } = options;
  const kept = new Map<string, Kept>();
  const fixed = new Set(declared.map(({ name }) => name));
  let changing: Promise<unknown> = Promise.resolve();

  async function secretOf({ name, secret }: Hook): Promise<string | undefined> {
    const value = secret === "kept" ? await secrets.get(name) : await resolve(secret);
    return value !== undefined && value.length >= MIN_SECRET_CHARS ? value : undefined;
  }
  const rows = await storage.list({ prefix: hookKey.hook("") });
  for (const hook of [...rows.map(({ value }) => decodeJson<Hook>(value)), ...declared]) {
    const secret = await secretOf(hook);
    if (secret === undefined) report(noSecret(hook));
    const key = secret === undefined ? undefined : await importSecret(secret);
    kept.set(hook.name, { hook, key });
  }
  function changeable(name: string): void {
    if (!fixed.has(name)) return;
    throw new FileError("conflict", "change hook", name, {
      detail: "it stands in the server's settings; change it there, and start the server again",
    });
  }
  /** One change after the other: a row and its secret belong together. */
  function alone<T>(change: () => Promise<T>): Promise<T> {
    const done = changing.then(change);
    changing = done.catch(() => {});
    return done;
  }

  async function put(name: string, { secret: given, ...config }: HookInput) {
    changeable(name);
    if (!isHookName(name)) throw invalid(name, "a hook's name is 1 to 48 of a-z, 0-9, _ and -");
    const before = kept.get(name)?.hook;
    if (!before && kept.size >= MAX_HOOKS) {
      throw invalid(name, `there are ${MAX_HOOKS} hooks, which is the limit; delete some`);
    }
    if (given === undefined && !before) throw invalid(name, "secret: a new hook needs one");
    const hook: Hook = {
      name,
      config: config as HookConfig,
      secret: typeof given === "string" ? "kept" : given ?? before!.secret,
      created_at: before?.created_at ?? isoTime(now()),
    };
    const value = typeof given === "string" ? given : await secretOf(hook);
    if (value === undefined) throw noSecret(hook);
    const key = await importSecret(value);
    // The secret first: a hook whose row stands must be able to check.
    if (typeof given === "string") await secrets.set(name, given);
    const row = { key: hookKey.hook(name), value: encodeJson(hook) };
    await storage.commit({ check: [], remove: [], put: [row] });
    kept.set(name, { hook, key });
    if (before?.secret === "kept" && hook.secret !== "kept") await secrets.remove(name);
    return { hook, created: before === undefined };
  }

  return {
    list: () => [...kept.values()].map(({ hook }) => hook).sort(byName),
    get: (name) => kept.get(name),
    put: (name, input) => alone(() => put(name, input)),
    remove: (name) =>
      alone(async () => {
        changeable(name);
        if (!kept.delete(name)) {
          throw new FileError("not_found", "delete", name, { detail: "there is no such hook" });
        }
        await storage.commit({ check: [], remove: [hookKey.hook(name)], put: [] });
        await secrets.remove(name);
      }),
  };
}

function byName(a: Hook, b: Hook): number {
  return a.name < b.name ? -1 : 1;
}

function invalid(name: string, detail: string): FileError {
  return new FileError("invalid_request", "put hook", name.slice(0, 100), { detail });
}

function noSecret({ name, secret }: Hook): FileError {
  const where = secret === "kept"
    ? "the server's file of secrets"
    : "env" in secret
    ? `the variable ${secret.env}`
    : `the file ${secret.file}`;
  return invalid(name, `secret: ${where} has none of at least ${MIN_SECRET_CHARS} characters`);
}
