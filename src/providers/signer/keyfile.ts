/** Keys in one file of this machine that only its owner can read. Never in the database, so that no export or backup of it holds a key. */
import { FileError } from "../../fs/error.ts";
import type { AgentId } from "../../core/id.ts";
import type { SigningService } from "../../core/provider.ts";
import { asFileError, directoryOf, readPrivate, writePrivate } from "../private_file.ts";
import {
  bytesOf,
  hexOf,
  isSecret,
  newSecret,
  platformRandom,
  type Random,
  signer,
} from "./nostr.ts";

type Secrets = Map<AgentId, Uint8Array>;
type Change = (secrets: Secrets) => void;

/** What the file says of its own form. */
const FORMAT = 1;
const AGENT_ID = /^[a-z0-9][a-z0-9_-]{0,62}$/;
const HEX_32 = /^[0-9a-f]{64}$/;

/**
 * Opens the key file, or makes it with the first key: file 0600, its directory 0700. Several programs may share it.
 * @throws FileError `permission_denied` when others may read it, `corrupt` when it is no key file (it is left as it is), `io`
 */
export async function openKeyFile(
  path: string,
  options: { readonly random?: Random } = {},
): Promise<SigningService> {
  const random = options.random ?? platformRandom;
  let secrets = await load(path);
  const save = batched(async (changes) => {
    secrets = await exclusively(path, async () => {
      const fresh = await load(path);
      for (const change of changes) change(fresh);
      await store(path, fresh);
      return fresh;
    });
  });

  return signer({
    get: (agent) => Promise.resolve(secrets.get(agent)),
    async create(agent) {
      if (!secrets.has(agent)) {
        await save((fresh) => {
          if (!fresh.has(agent)) fresh.set(agent, newSecret(random));
        });
      }
      return secrets.get(agent)!;
    },
    set: (agent, secret) => save((fresh) => fresh.set(agent, secret)),
    async remove(agent) {
      if (secrets.has(agent)) await save((fresh) => fresh.delete(agent));
    },
  });
}

/** Gathers changes that come while the file is being written, so that ten thousand new agents are a few writes and not ten thousand. */
function batched(write: (changes: readonly Change[]) => Promise<void>) {
  let waiting: Change[] = [];
  let next: Promise<void> | undefined;
  let running: Promise<unknown> = Promise.resolve();
  return (change: Change): Promise<void> => {
    waiting.push(change);
    next ??= running.then(() => {
      const changes = waiting;
      waiting = [];
      next = undefined;
      const written = write(changes);
      running = written.catch(() => {});
      return written;
    });
    return next;
  };
}

/** Reads the keys; none if there is no file yet. */
async function load(path: string): Promise<Secrets> {
  const text = await readPrivate(path);
  return text === undefined ? new Map() : parse(path, text);
}

/** @throws FileError `corrupt`, which tells nothing of the content */
function parse(path: string, text: string): Secrets {
  const secrets: Secrets = new Map();
  try {
    const content = JSON.parse(text);
    if (content?.version !== FORMAT) throw undefined;
    for (const [agent, hex] of Object.entries(content.keys as Record<string, unknown>)) {
      if (!AGENT_ID.test(agent) || typeof hex !== "string" || !HEX_32.test(hex)) throw undefined;
      const secret = bytesOf(hex);
      if (!isSecret(secret)) throw undefined;
      secrets.set(agent as AgentId, secret);
    }
  } catch {
    throw new FileError("corrupt", "read", path, {
      detail: "it is no key file of this program; put a backup in its place, or move it away",
    });
  }
  return secrets;
}

async function store(path: string, secrets: Secrets): Promise<void> {
  const keys = Object.fromEntries(
    [...secrets].sort(([a], [b]) => (a < b ? -1 : 1)).map(
      ([agent, secret]) => [agent, hexOf(secret)],
    ),
  );
  await writePrivate(path, JSON.stringify({ version: FORMAT, keys }, undefined, 1) + "\n");
}

/** One program at a time; another one's keys are read before ours are written. */
async function exclusively<T>(path: string, run: () => Promise<T>): Promise<T> {
  try {
    await Deno.mkdir(directoryOf(path), { recursive: true, mode: 0o700 });
    using lock = await Deno.open(`${path}.lock`, { write: true, create: true, mode: 0o600 });
    await lock.lock(true);
    return await run();
  } catch (error) {
    throw asFileError("write", path, error);
  }
}
