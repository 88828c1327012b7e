/** Secrets of hooks, in a file of the data directory beside the keys that only its owner can read. Never in the database, so that no copy of it holds one. */
import { join } from "node:path";
import type { SecretReference } from "../http/hooks/hook.ts";
import type { SecretFile } from "../http/hooks/store.ts";
import { EXIT, trouble } from "./exit.ts";
import { type Home, readSmall, shownIn, writePrivate } from "./home.ts";

const NAME = "hook_secrets";
const FORMAT = 1;
/** Permission bits of group and others. */
const OTHERS = 0o077;
/** A file with more than this is no secret. */
const MAX_FILE_BYTES = 16 * 1024;

/** The process that holds the data directory is the only one that writes the file. @throws an error that names the file, if others may read it or it is none of ours */
export function secretFile(home: Home): SecretFile {
  let secrets = load(home);
  function change(apply: (to: Map<string, string>) => void): void {
    const next = new Map(secrets);
    apply(next);
    store(home, next);
    secrets = next;
  }
  return {
    get: (name) => Promise.resolve(secrets.get(name)),
    // deno-lint-ignore require-await -- rejects instead of throwing
    async set(name, value) {
      change((to) => to.set(name, value));
    },
    // deno-lint-ignore require-await -- rejects instead of throwing
    async remove(name) {
      if (secrets.has(name)) change((to) => to.delete(name));
    },
  };
}

function load(home: Home): Map<string, string> {
  const text = readSmall(home, NAME);
  if (text === undefined) return new Map();
  const path = shownIn(home, NAME);
  const { mode } = Deno.statSync(join(home.dir, NAME));
  if (Deno.build.os !== "windows" && mode !== null && (mode & OTHERS) !== 0) {
    throw trouble(EXIT.failed, `Other users may read ${path}`, `Run chmod 600 ${path}.`);
  }
  const secrets = parsed(text);
  if (secrets) return secrets;
  throw trouble(
    EXIT.failed,
    `${path} is no file of secrets of this program; it was left as it is`,
    "Put a backup in its place, or move it away and add the hooks again.",
  );
}

function parsed(text: string): Map<string, string> | undefined {
  try {
    const { version, hooks } = JSON.parse(text);
    if (version !== FORMAT || typeof hooks !== "object" || hooks === null) return undefined;
    const secrets = Object.entries(hooks);
    if (secrets.some(([, value]) => typeof value !== "string")) return undefined;
    return new Map(secrets as [string, string][]);
  } catch {
    return undefined;
  }
}

function store(home: Home, secrets: ReadonlyMap<string, string>): void {
  const hooks = Object.fromEntries([...secrets].sort(([a], [b]) => (a < b ? -1 : 1)));
  writePrivate(home, NAME, JSON.stringify({ version: FORMAT, hooks }, null, 1) + "\n");
}

/** What a reference stands for now: a variable, or a file without its last newline. */
export function resolveSecret(
  reference: SecretReference,
  env: (name: string) => string | undefined,
): string | undefined {
  if ("env" in reference) return env(reference.env);
  try {
    const { size, isFile } = Deno.statSync(reference.file);
    if (!isFile || size > MAX_FILE_BYTES) return undefined;
    return Deno.readTextFileSync(reference.file).replace(/\r?\n$/, "");
  } catch {
    // A hook whose secret is not to be had is told of, and lets nobody in.
    return undefined;
  }
}
