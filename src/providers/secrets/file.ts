/** Secrets in one file of this machine, sealed under the runtime's own key, which is in a file beside it. Never in the database, so that no export or backup of it holds one. */
import { FileError } from "../../fs/error.ts";
import type { AgentId } from "../../core/id.ts";
import type { KeptSecret, SecretStore } from "../../core/secrets.ts";
import { readPrivate, writePrivate } from "../private_file.ts";

/** What the file says of its own form. */
const FORMAT = 1;
const CIPHER = "AES-GCM";
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const HEX_KEY = /^[0-9a-f]{64}\n?$/;

export interface SecretFiles {
  readonly secrets: string;
  /** The runtime's key; made when there are none of both. */
  readonly key: string;
}

interface Entry {
  readonly mounts: readonly string[];
  readonly hosts: readonly string[];
  readonly agents?: readonly AgentId[];
  readonly created_ms: number;
  /** Base64; of the value alone. */
  readonly nonce: string;
  readonly sealed: string;
}

/**
 * One program at a time has it. Both files are 0600.
 * `load` and `save` reject with `permission_denied` when others may read a file, `corrupt` when it is none of ours or
 * the key is another one (both are left as they are), `io`.
 */
export function secretFile(files: SecretFiles): SecretStore {
  let known: CryptoKey | undefined;
  async function key(isNew: boolean): Promise<CryptoKey> {
    return known ??= await openKey(files.key, isNew);
  }
  return {
    async load() {
      const text = await readPrivate(files.secrets);
      if (text === undefined) return [];
      const entries = parsed(files.secrets, text);
      const secrets: KeptSecret[] = [];
      for (const [name, entry] of entries) {
        const value = await unsealed(await key(false), name, entry);
        if (value === undefined) throw corrupt(files.secrets, `it was sealed with another key`);
        const { mounts, hosts, agents, created_ms } = entry;
        const bound = { mounts, hosts, ...(agents === undefined ? {} : { agents }) };
        secrets.push({ name, value, ...bound, createdMs: created_ms });
      }
      return secrets;
    },
    async save(secrets) {
      const entries: [string, Entry][] = [];
      const isNew = await readPrivate(files.secrets) === undefined;
      for (const one of secrets) entries.push([one.name, await sealed(await key(isNew), one)]);
      const content = { version: FORMAT, secrets: Object.fromEntries(entries) };
      await writePrivate(files.secrets, JSON.stringify(content, null, 1) + "\n");
    },
  };
}

/** What is in such a file, by the names of secrets: the mounts that each is bound to. Nothing is unsealed. */
export async function mountsOfSecrets(
  path: string,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const text = await readPrivate(path);
  const entries = text === undefined ? [] : parsed(path, text);
  return new Map(entries.map(([name, { mounts }]) => [name, mounts]));
}

/** @param isNew nothing is sealed yet, so that a new key locks nothing away */
async function openKey(path: string, isNew: boolean): Promise<CryptoKey> {
  let text = await readPrivate(path);
  if (text === undefined) {
    if (!isNew) throw corrupt(path, "it is not there, and what it has sealed is");
    text = crypto.getRandomValues(new Uint8Array(KEY_BYTES)).toHex() + "\n";
    await writePrivate(path, text);
  }
  if (!HEX_KEY.test(text)) throw corrupt(path, "it is no key of this program");
  const raw = Uint8Array.fromHex(text.trim());
  return await crypto.subtle.importKey("raw", raw, CIPHER, false, ["encrypt", "decrypt"]);
}

async function sealed(key: CryptoKey, secret: KeptSecret): Promise<Entry> {
  const nonce = crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
  const { name, value, mounts, hosts, agents, createdMs } = secret;
  const bound = {
    mounts,
    hosts,
    ...(agents === undefined ? {} : { agents }),
    created_ms: createdMs,
  };
  const box = await crypto.subtle.encrypt(
    { name: CIPHER, iv: nonce, additionalData: bindingBytes(name, bound) },
    key,
    new TextEncoder().encode(value),
  );
  return { ...bound, nonce: nonce.toBase64(), sealed: new Uint8Array(box).toBase64() };
}

async function unsealed(key: CryptoKey, name: string, entry: Entry): Promise<string | undefined> {
  try {
    const box = await crypto.subtle.decrypt(
      {
        name: CIPHER,
        iv: Uint8Array.fromBase64(entry.nonce),
        additionalData: bindingBytes(name, entry),
      },
      key,
      Uint8Array.fromBase64(entry.sealed),
    );
    return new TextDecoder("utf-8", { fatal: true }).decode(box);
  } catch {
    return undefined;
  }
}

/** Sealed along, so that nobody who can write the file alone can bind a secret to another host. */
function bindingBytes(
  name: string,
  bound: Omit<Entry, "nonce" | "sealed">,
): Uint8Array<ArrayBuffer> {
  const { mounts, hosts, agents, created_ms } = bound;
  return new TextEncoder().encode(JSON.stringify([name, mounts, hosts, agents ?? [], created_ms]));
}

function parsed(path: string, text: string): [string, Entry][] {
  try {
    const { version, secrets } = JSON.parse(text);
    if (version !== FORMAT || typeof secrets !== "object" || secrets === null) throw undefined;
    return Object.entries(secrets as Record<string, Entry>);
  } catch {
    throw corrupt(path, "it is no file of secrets of this program");
  }
}

function corrupt(path: string, why: string): FileError {
  return new FileError("corrupt", "read", path, {
    detail: `${why}; put a backup of the secrets and their key in its place, or move both away`,
  });
}
