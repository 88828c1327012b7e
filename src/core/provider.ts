/** What services sell comes from providers; the ground floor names only what they must be able to do. */
import type { FileService } from "../fs/file.ts";
import type { AgentId } from "./id.ts";
import type { Json } from "./envelope.ts";

/** A Nostr event (NIP-01), before and after it is signed. Hex is lower-case. */
export interface UnsignedEvent {
  readonly kind: number;
  /** Seconds since the Unix epoch. */
  readonly created_at: number;
  readonly tags: readonly (readonly string[])[];
  readonly content: string;
}
export interface SignedEvent extends UnsignedEvent {
  readonly id: string;
  readonly pubkey: string;
  readonly sig: string;
}

/** Holds agents' secp256k1 keys and never gives one out: not by an answer, an error, or a log. Rejects with `not_found` for an agent without a key. */
export interface SigningService {
  /** Makes the agent's key if it has none. Answers the x-only public key, 64 hex digits. Durable when it resolves. */
  create(agent: AgentId): Promise<string>;
  /** Forgets the agent's key; no error if there is none. */
  destroy(agent: AgentId): Promise<void>;
  /** 64 hex digits. */
  pubkey(agent: AgentId): Promise<string>;
  /** BIP-340 over 32 bytes, or a NIP-01 event signed whole. */
  signHash(agent: AgentId, hash: Uint8Array): Promise<string>;
  signEvent(agent: AgentId, event: UnsignedEvent): Promise<SignedEvent>;
  /** A BIP-340 signature (128 hex digits) over 32 bytes by a public key. */
  verifyHash(pubkey: string, hash: Uint8Array, sig: string): Promise<boolean>;
  verifyEvent(event: Json): Promise<boolean>;
  /** NIP-44 v2. */
  encrypt(agent: AgentId, to: string, text: string): Promise<string>;
  /** NIP-44 v2, and NIP-04 for old messages. */
  decrypt(agent: AgentId, from: string, text: string): Promise<string>;
  /** The private key, encrypted under a passphrase by NIP-49: `ncryptsec1…`. The one way in which a key leaves. */
  exportKey(agent: AgentId, passphrase: string): Promise<string>;
  /** Keeps a key that `exportKey` gave, in place of the agent's own. Answers its public key. Rejects with `invalid_request` for a wrong passphrase. */
  importKey(agent: AgentId, ncryptsec: string, passphrase: string): Promise<string>;
  /** NIP-19 `npub1…` of a public key. */
  npub(pubkey: string): string;
}

/** A directory of the host in an agent's namespace. */
export interface DirectoryMount {
  readonly type: "dir";
  /** The host's path: absolute, and real once it was checked. Only operators are told it. */
  readonly path: string;
  readonly access: "read_only" | "read_write" | "disabled";
  /** Names that are not there, at any depth, `*` for any characters (`.env*`); the provider's own list if absent. */
  readonly hidden?: readonly string[];
}

/** Gives directories of the world outside, and nothing around them. */
export interface DirectoryProvider {
  /**
   * Whether this can be mounted. Answers the mount as it is to be kept, with the directory's real path. Rejects with
   * `permission_denied`, which says what it would need, `not_found`, `not_directory` or `invalid_request`.
   */
  check(mount: DirectoryMount): Promise<DirectoryMount>;
  /** A mount that was checked. Nothing is begun before its files are used. Who has mounted the same may share what is behind it. */
  open(mount: DirectoryMount): OpenDirectory;
}

export interface OpenDirectory {
  /** What is written counts at close. It is no part of a tick's commit: it cannot be rolled back. */
  readonly files: FileService;
  /** Open handles are lost, and what they did not commit is discarded. */
  close(): Promise<void>;
}
