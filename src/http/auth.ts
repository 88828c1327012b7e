/** Who comes in: the names the server answers to, no other site's page, the operator's token, and the local caller without one. */
import { digest } from "../core/code.ts";
import { sameText, type Tokens } from "../core/tokens.ts";
import type { Principal } from "../core/runtime.ts";
import { FileError } from "../fs/error.ts";
import { type Guesses, guesses } from "./guesses.ts";

/** Where a request came from, as the listener knows it. */
export interface Peer {
  /** It reached us over loopback or a unix socket. */
  readonly local: boolean;
  readonly transport: "tcp" | "unix";
  /** By which failed attempts are counted. */
  readonly address?: string;
}

export interface AuthOptions {
  /** SHA-256 of the operator's token, 64 hex digits. Absent: no token is right. */
  readonly tokenDigest?: string;
  /** The token is required on loopback too. */
  readonly requireToken?: boolean;
  /** Names that the server answers to besides `localhost`, `127.0.0.1` and `[::1]`: without a port. */
  readonly hosts?: readonly string[];
}

export interface Door {
  /** Refuses names that are not ours and requests that other sites' pages send. @throws FileError `permission_denied` */
  admit(request: Request): void;
  /** @throws FileError `auth_required`, `rate_limited` */
  who(request: Request, peer: Peer): Principal;
}

/** Nothing is known of a caller that no listener vouches for. */
export const STRANGER: Peer = { local: false, transport: "tcp" };

const OPERATOR: Principal = { viewer: "operator", name: "operator" };
const LOCAL: Principal = { viewer: "local", name: "local" };
const LOOPBACK_NAMES = ["localhost", "127.0.0.1", "[::1]"];
/** A request with one of these came through somebody else, whatever its peer is. */
const FORWARDED = /^(?:forwarded|x-forwarded(?:-.*)?|x-real-ip|via)$/;
const CROSS_SITE: ReadonlySet<string> = new Set(["cross-site", "same-site"]);
const HOST = /^(\[[0-9a-f:.]+\]|[^:\[\]/@]+)(?::[0-9]+)?$/;
const BEARER = /^bearer +(\S+) *$/i;

export function createDoor(options: AuthOptions, now: () => number, find: Tokens["find"]): Door {
  const hosts = new Set([...LOOPBACK_NAMES, ...(options.hosts ?? []).map(hostName)]);
  const wrong = guesses(now);
  /** The last `Host` that was found good: nearly always the next one too. */
  let lastHost: string | undefined;

  function answersTo(host: string): boolean {
    if (host === lastHost) return true;
    const name = HOST.exec(host.toLowerCase())?.[1];
    if (name === undefined || !hosts.has(name)) return false;
    lastHost = host;
    return true;
  }

  return {
    admit(request) {
      const { headers } = request;
      const host = headers.get("host") ?? authorityOf(request.url);
      if (!answersTo(host)) throw notOurName(host);
      const site = headers.get("sec-fetch-site");
      if (site !== null && CROSS_SITE.has(site.toLowerCase())) throw crossSite(site);
      const origin = headers.get("origin");
      if (origin !== null && !isOurs(origin, host)) throw crossSite(origin);
    },
    who(request, peer) {
      const authorization = request.headers.get("authorization");
      if (authorization !== null) {
        return tokenHolder(authorization, options.tokenDigest, find) ??
          refuseGuess(wrong, peer);
      }
      if (isTrusted(peer) && !cameThroughOthers(request.headers)) {
        if (peer.transport === "unix") return OPERATOR;
        if (!options.requireToken) return LOCAL;
      }
      throw new FileError("auth_required", "enter", "", {
        detail: "send the operator's token, as `Authorization: Bearer <token>`",
      });
    },
  };
}

/** A listening address as it stands in `Host`: lower case, IPv6 in brackets. */
export function hostName(name: string): string {
  const lower = name.toLowerCase();
  return lower.includes(":") && !lower.startsWith("[") ? `[${lower}]` : lower;
}

/** Whoever can reach the unix socket may open it: its mode is 0600. */
function isTrusted(peer: Peer): boolean {
  return peer.local || peer.transport === "unix";
}

/** The one whose token it is; undefined if it is nobody's. */
function tokenHolder(
  authorization: string,
  tokenDigest: string | undefined,
  find: Tokens["find"],
): Principal | undefined {
  const token = BEARER.exec(authorization)?.[1];
  if (token === undefined) return undefined;
  if (tokenDigest !== undefined && sameText(digest(token), tokenDigest)) return OPERATOR;
  const grant = find(token);
  return grant && { viewer: "operator", name: grant.name, grant };
}

/**
 * Counts a wrong token. A right one is never refused for others' wrong ones: who guesses in a loop must not be able to lock
 * the operator out, and 256 bits are not guessed.
 */
function refuseGuess(wrong: Guesses, peer: Peer): never {
  const retryAfterMs = wrong.count(peer.address ?? peer.transport);
  if (retryAfterMs > 0) {
    throw new FileError("rate_limited", "enter", "", {
      detail: "too many wrong tokens from there",
      extra: { retry_after_ms: retryAfterMs },
    });
  }
  throw new FileError("auth_required", "enter", "", {
    detail: "this token is unknown, revoked or expired; the operator's is in the data directory",
  });
}

function cameThroughOthers(headers: Headers): boolean {
  for (const name of headers.keys()) if (FORWARDED.test(name)) return true;
  return false;
}

function isOurs(origin: string, host: string): boolean {
  const [lower, ours] = [origin.toLowerCase(), host.toLowerCase()];
  return lower === `http://${ours}` || lower === `https://${ours}`;
}

/** `Host` of a request that has none (HTTP/1.0, or one made in this program). */
function authorityOf(url: string): string {
  const start = url.indexOf("://") + 3;
  const end = url.indexOf("/", start);
  return url.slice(start, end < 0 ? undefined : end);
}

function notOurName(host: string): FileError {
  const name = host.slice(0, 255);
  return new FileError("permission_denied", "enter", "", {
    detail: `this server does not answer to ${JSON.stringify(name)}; if it should: ` +
      `add --allow-host ${name.replace(/:[0-9]+$/, "")}`,
  });
}

function crossSite(from: string): FileError {
  return new FileError("permission_denied", "enter", "", {
    detail: `a page of another site may not use this server (${from.slice(0, 255)})`,
  });
}
