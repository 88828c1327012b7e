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

export interface TokenRequest {
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
  /** What a token grants now; undefined for one that is unknown, revoked or expired. */
  find(token: string): TokenGrant | undefined;
}

interface TokenRow {
  readonly grant: TokenGrant;
  /** SHA-256 of the token. */
  readonly digest: string;
}

export const TOKEN_PREFIX = "agt_";
const SECRET_BYTES = 32;
const MAX_TOKENS = 10_000;
const MAX_NAME = 100;

/** Opens the tokens of a runtime; all are held in memory, so that to look one up is no wait. */
export async function openTokens(backend: Backend): Promise<Tokens> {
  const storage: AgentStorage = backend.storage(TOKENS);
  const rows = new Map<string, TokenRow>();
  for await (const page of pages(storage, tokenKey.token(""))) {
    for (const row of page) {
      const token = decodeJson<TokenRow>(row.value);
      rows.set(token.grant.id, token);
    }
  }
  return {
    async create({ name, agents, can, expiresAt }) {
      if (rows.size >= MAX_TOKENS) throw refused(`at most ${MAX_TOKENS} tokens; revoke some`);
      if (!CANS.includes(can)) throw refused(`a token can ${CANS.join(", ")}`);
      if (agents !== "*" && agents.length === 0) throw refused("it names no agent");
      if ((name?.length ?? 0) > MAX_NAME) {
        throw refused(`a name has at most ${MAX_NAME} characters`);
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
        agents: agents === "*" ? "*" : agents.map(agentId),
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
      rows.set(id, row);
      return { grant, token };
    },
    list: () => [...rows.values()].map(({ grant }) => grant),
    async revoke(id) {
      if (!rows.has(id)) {
        throw new FileError("not_found", "revoke", id, {
          detail: "no such token; `agentd token list` names those that there are",
        });
      }
      // Refused from now on, whatever becomes of the commit: what cannot be stored is told to the caller, who may repeat it.
      rows.delete(id);
      await storage.commit({ check: [], remove: [tokenKey.token(id)], put: [] });
    },
    find(token) {
      const id = token.startsWith(TOKEN_PREFIX)
        ? token.slice(TOKEN_PREFIX.length).split("_")[0]
        : "";
      const row = rows.get(id ?? "");
      if (!sameText(digest(token), row?.digest ?? digest(""))) return undefined;
      const expires = row?.grant.expires_at;
      if (expires !== undefined && Date.parse(expires) <= backend.now()) return undefined;
      return row?.grant;
    },
  };
}

/** Takes as long for a first difference as for a last one. */
export function sameText(a: string, b: string): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i);
  return difference === 0;
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
}

function refused(detail: string): FileError {
  return new FileError("invalid_request", "create", "token", { detail });
}
