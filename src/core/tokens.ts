/** Scoped tokens: what somebody else's program may do with which agents. Kept as digests; a token itself is told once. */
import { FileError } from "../fs/error.ts";
import type { AgentStorage } from "./storage.ts";
import type { Backend } from "./backend.ts";
import { type AgentId, agentId, isoTime } from "./id.ts";
import { decodeJson, digest, encodeJson } from "./code.ts";
import { pages } from "./pages.ts";
import { tokenKey, TOKENS } from "./keys.ts";

/** Each includes the one before: read files; send messages; all that an operator does with an agent's files. */
export const CANS = ["read", "send", "operate"] as const;
export type Can = (typeof CANS)[number];

export interface TokenGrant {
  readonly id: string;
  readonly name: string;
  /** `*`: all agents, later ones too. */
  readonly agents: "*" | readonly AgentId[];
  readonly can: Can;
  /** ISO 8601. */
  readonly created_at: string;
  readonly expires_at?: string;
}

/** A grant in its holder's hands. */
export interface HeldGrant extends TokenGrant {
  /** Aborts when the token is revoked. */
  readonly revoked?: AbortSignal;
}

export interface TokenRequest {
  /** The name under which its messages are accepted. Absent: the token's id. */
  readonly name?: string;
  readonly agents: "*" | readonly string[];
  readonly can: Can;
  /** Milliseconds since 1970. */
  readonly expiresAt?: number;
}

export interface Tokens {
  /** `token` is told this once. */
  create(request: TokenRequest): Promise<{ readonly grant: TokenGrant; readonly token: string }>;
  list(): readonly TokenGrant[];
  /** Holds at once. Rejects with `not_found`. */
  revoke(id: string): Promise<void>;
  /** What a token grants now; undefined for one that is unknown, revoked or expired. The same object each time. */
  find(token: string): HeldGrant | undefined;
}

interface TokenRow {
  readonly grant: TokenGrant;
  /** SHA-256 of the token. */
  readonly digest: string;
}

/** A row in memory. */
interface Kept extends TokenRow {
  readonly held: HeldGrant;
  readonly revoke: () => void;
}

export const TOKEN_PREFIX = "agt_";
const SECRET_BYTES = 32;
const MAX_TOKENS = 10_000;
/** Agents that one token names; `*` has no end. */
export const MAX_TOKEN_AGENTS = 1_000;
/** It stands in the source of every message that its holder sends, and in the agent's logs. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,99}$/;
/** A token must not pass for those who come without one. */
const NOT_NAMES: readonly string[] = ["operator", "local", "public", "agent"];

/** Opens the tokens of a runtime; all are held in memory, so that to look one up is no wait. */
export async function openTokens(backend: Backend): Promise<Tokens> {
  const storage: AgentStorage = backend.storage(TOKENS);
  const rows = new Map<string, Kept>();
  const keep = (row: TokenRow) => {
    const { signal, abort } = revocation();
    rows.set(row.grant.id, { ...row, held: { ...row.grant, revoked: signal }, revoke: abort });
  };
  for await (const page of pages(storage, tokenKey.token(""))) {
    for (const row of page) keep(decodeJson<TokenRow>(row.value));
  }
  return {
    async create({ name, agents, can, expiresAt }) {
      if (rows.size >= MAX_TOKENS) throw refused(`at most ${MAX_TOKENS} tokens; revoke some`);
      if (!CANS.includes(can)) throw refused(`a token can ${CANS.join(", ")}`);
      if (agents !== "*" && agents.length === 0) throw refused("it names no agent");
      if (agents.length > MAX_TOKEN_AGENTS) {
        throw refused(`it names at most ${MAX_TOKEN_AGENTS} agents; or all, as "*"`);
      }
      checkName(name);
      if (expiresAt !== undefined && !(expiresAt > backend.now() && expiresAt <= LAST_MS)) {
        throw refused("it would be over before it begins, or never");
      }
      const id = hex(backend.random(6));
      const secret = backend.random(SECRET_BYTES).toBase64({
        alphabet: "base64url",
        omitPadding: true,
      });
      const token = `${TOKEN_PREFIX}${id}_${secret}`;
      const grant: TokenGrant = {
        id,
        name: name ?? id,
        agents: agents === "*" ? "*" : [...new Set(agents.map(agentId))],
        can,
        created_at: isoTime(backend.now()),
        ...(expiresAt === undefined ? {} : { expires_at: isoTime(expiresAt) }),
      };
      const row: TokenRow = { grant, digest: digest(token) };
      const put = [{ key: tokenKey.token(id), value: encodeJson(row) }];
      await storage.commit({
        check: [{ key: tokenKey.token(id), value: undefined }],
        remove: [],
        put,
      });
      keep(row);
      return { grant, token };
    },
    list: () => [...rows.values()].map(({ grant }) => grant),
    async revoke(id) {
      const row = rows.get(id);
      if (!row) {
        throw new FileError("not_found", "revoke", id, {
          detail: "no such token; `agentd token list` names those that there are",
        });
      }
      // Refused from now on, whatever becomes of the commit: what cannot be stored is told to the caller, who may repeat it.
      rows.delete(id);
      row.revoke();
      await storage.commit({ check: [], remove: [tokenKey.token(id)], put: [] });
    },
    find(token) {
      const id = token.startsWith(TOKEN_PREFIX)
        ? token.slice(TOKEN_PREFIX.length).split("_")[0]
        : "";
      const row = rows.get(id ?? "");
      if (!sameText(digest(token), row?.digest ?? digest(""))) return undefined;
      if (row && lapsed(row.held, backend.now()) !== undefined) return undefined;
      return row?.held;
    },
  };
}

/** What of a grant says whether it still stands. */
export type Term = Partial<Pick<HeldGrant, "expires_at" | "revoked">>;

/** Why a grant no longer stands; undefined while it does. */
export function lapsed({ revoked, expires_at }: Term, nowMs: number): string | undefined {
  if (revoked?.aborted) return "this token was revoked";
  if (expires_at !== undefined && Date.parse(expires_at) <= nowMs) return "this token has expired";
  return undefined;
}

/** The last instant that a date can name. */
const LAST_MS = 8_640_000_000_000_000;

function checkName(name: string | undefined): void {
  if (name === undefined) return;
  if (!NAME.test(name)) {
    throw refused('a name is 1 to 100 of A-Z, a-z, 0-9, ".", "_", "@" and "-"');
  }
  if (NOT_NAMES.includes(name.toLowerCase())) throw refused(`no token is called ${name}`);
}

/** Takes as long for a first difference as for a last one. */
export function sameText(a: string, b: string): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i);
  return difference === 0;
}

function revocation(): { readonly signal: AbortSignal; readonly abort: () => void } {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort() };
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
}

function refused(detail: string): FileError {
  return new FileError("invalid_request", "create", "token", { detail });
}
