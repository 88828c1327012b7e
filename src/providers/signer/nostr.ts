/** What a key of an agent can do, by nostr-tools, over any keyring. No secret leaves: libraries' errors are never passed on, nor kept as a cause. */
import { schnorr, secp256k1 } from "@noble/curves/secp256k1.js";
import { finalizeEvent, getPublicKey, verifyEvent } from "nostr-tools/pure";
import * as nip04 from "nostr-tools/nip04";
import * as nip44 from "nostr-tools/nip44";
import * as nip49 from "nostr-tools/nip49";
import { npubEncode } from "nostr-tools/nip19";
import { type Code, FileError } from "../../fs/error.ts";
import type { AgentId } from "../../core/id.ts";
import type { SigningService } from "../../core/provider.ts";

/** Where secret keys (32 bytes) stand. Only `signer` sees one. */
export interface Keyring {
  get(agent: AgentId): Promise<Uint8Array | undefined>;
  /** The agent's key, made if there is none; durable when it resolves. */
  create(agent: AgentId): Promise<Uint8Array>;
  remove(agent: AgentId): Promise<void>;
  /** In place of the agent's own, if it has one; durable when it resolves. */
  set(agent: AgentId, secret: Uint8Array): Promise<void>;
}

/** Unpredictable bytes. */
export type Random = (bytes: number) => Uint8Array;

export const platformRandom: Random = (bytes) => crypto.getRandomValues(new Uint8Array(bytes));

const SECRET_BYTES = 32;
const HEX_32 = /^[0-9a-f]{64}$/;
const HEX_64 = /^[0-9a-f]{128}$/;
/** NIP-49: the memory that opening takes is 1 KiB × 2^n, and the time goes with it. Ours are made with 16. */
const MAX_SCRYPT_LOG_N = 18;
const NCRYPTSEC = /^ncryptsec1[02-9ac-hj-np-z]{6,300}$/;
const BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

/** 32 bytes that are a key: one try in 2^128 is none. */
export function newSecret(random: Random): Uint8Array {
  while (true) {
    const secret = random(SECRET_BYTES);
    if (isSecret(secret)) return secret;
  }
}

export function isSecret(bytes: Uint8Array): boolean {
  return bytes.length === SECRET_BYTES && secp256k1.utils.isValidSecretKey(bytes);
}

export function signer(keys: Keyring): SigningService {
  async function secretOf(agent: AgentId, op: string): Promise<Uint8Array> {
    const secret = await keys.get(agent);
    if (secret) return secret;
    throw new FileError("not_found", op, agent, { detail: "no key of this agent is kept here" });
  }

  return {
    create: async (agent) => getPublicKey(await keys.create(agent)),
    destroy: (agent) => keys.remove(agent),
    pubkey: async (agent) => getPublicKey(await secretOf(agent, "tell the public key of")),
    async signHash(agent, hash) {
      if (hash.length !== 32) throw refused("sign", agent, "a hash has 32 bytes");
      const secret = await secretOf(agent, "sign");
      return guarded(
        "internal",
        "sign",
        agent,
        "signing failed",
        () => hexOf(schnorr.sign(hash, secret)),
      );
    },
    async signEvent(agent, { kind, created_at, tags, content }) {
      const secret = await secretOf(agent, "sign");
      const event = { kind, created_at, content, tags: tags.map((tag) => [...tag]) };
      return guarded("invalid_request", "sign", agent, "it is no event", () => {
        const { id, pubkey, sig } = finalizeEvent(event, secret);
        return { id, pubkey, created_at, kind, tags: event.tags, content, sig };
      });
    },
    // deno-lint-ignore require-await -- the interface is asynchronous: a remote signer answers later
    async verifyHash(pubkey, hash, sig) {
      if (!HEX_32.test(pubkey) || hash.length !== 32 || !HEX_64.test(sig)) return false;
      return truth(() => schnorr.verify(bytesOf(sig), hash, bytesOf(pubkey)));
    },
    // deno-lint-ignore require-await -- as above
    async verifyEvent(event) {
      if (event === null || typeof event !== "object" || Array.isArray(event)) return false;
      const { id, pubkey, created_at, kind, tags, content, sig } = event;
      if (typeof sig !== "string" || typeof id !== "string") return false;
      const fields = { id, pubkey, created_at, kind, tags, content, sig };
      return truth(() => verifyEvent(fields as unknown as Parameters<typeof verifyEvent>[0]));
    },
    async encrypt(agent, to, text) {
      mustBePubkey("encrypt", agent, to);
      if (text === "") throw refused("encrypt", agent, "NIP-44 takes no empty text");
      const secret = await secretOf(agent, "encrypt");
      return guarded(
        "invalid_request",
        "encrypt",
        agent,
        NO_POINT,
        () => nip44.encrypt(text, nip44.getConversationKey(secret, to)),
      );
    },
    async decrypt(agent, from, text) {
      mustBePubkey("decrypt", agent, from);
      const secret = await secretOf(agent, "decrypt");
      return guarded(
        "invalid_request",
        "decrypt",
        agent,
        NOT_OURS,
        () =>
          text.includes("?iv=")
            ? nip04.decrypt(secret, from, text)
            : nip44.decrypt(text, nip44.getConversationKey(secret, from)),
      );
    },
    async exportKey(agent, passphrase) {
      mustBePassphrase("export the key of", agent, passphrase);
      const secret = await secretOf(agent, "export the key of");
      return guarded(
        "internal",
        "export the key of",
        agent,
        "it could not be encrypted",
        () => nip49.encrypt(secret, passphrase),
      );
    },
    async importKey(agent, ncryptsec, passphrase) {
      const op = "import the key of";
      mustBePassphrase(op, agent, passphrase);
      if (!NCRYPTSEC.test(ncryptsec) || costOf(ncryptsec) > MAX_SCRYPT_LOG_N) {
        throw refused(
          op,
          agent,
          `it is no ncryptsec1… of NIP-49, or costs more than 2^${MAX_SCRYPT_LOG_N}`,
        );
      }
      const secret = guarded(
        "invalid_request",
        op,
        agent,
        WRONG_PASSPHRASE,
        () => nip49.decrypt(ncryptsec, passphrase),
      );
      if (!isSecret(secret)) throw refused(op, agent, WRONG_PASSPHRASE);
      await keys.set(agent, secret);
      return getPublicKey(secret);
    },
    npub(pubkey) {
      if (!HEX_32.test(pubkey)) throw refused("encode", pubkey.slice(0, 80), NOT_A_PUBKEY);
      return npubEncode(pubkey);
    },
  };
}

const NOT_A_PUBKEY = "a public key is 64 lower-case hex digits";
const NO_POINT = "the other's public key is no point of the curve";
const NOT_OURS = "it was not encrypted between this agent and that public key, or it is damaged";

const WRONG_PASSPHRASE = "the passphrase is not that of this key, or the key is damaged";

function mustBePassphrase(op: string, agent: AgentId, passphrase: string): void {
  if (passphrase === "") {
    throw refused(op, agent, "a key is encrypted under a passphrase, not an empty one");
  }
}

/** The exponent of what opening costs: the second byte, which is looked at before anything is spent. */
function costOf(ncryptsec: string): number {
  const bits = [...ncryptsec.slice("ncryptsec1".length, "ncryptsec1".length + 4)]
    .reduce((all, char) => all * 32 + BECH32.indexOf(char), 0);
  return Math.floor(bits / 16) % 256;
}

function mustBePubkey(op: string, agent: AgentId, pubkey: string): void {
  if (!HEX_32.test(pubkey)) throw refused(op, agent, NOT_A_PUBKEY);
}

function refused(op: string, path: string, detail: string): FileError {
  return new FileError("invalid_request", op, path, { detail });
}

/** The error of a library that has held a key is dropped whole: its text and stack may hold what it was given. */
function guarded<T>(code: Code, op: string, agent: AgentId, detail: string, run: () => T): T {
  try {
    return run();
  } catch {
    throw new FileError(code, op, agent, { detail });
  }
}

/** A check that cannot be made fails. */
function truth(check: () => boolean): boolean {
  try {
    return check() === true;
  } catch {
    return false;
  }
}

export function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
}

/** Of an even number of lower-case hex digits. */
export function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}
