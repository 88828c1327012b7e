/** What Docker says when it refuses, as errors of the closed list with what to do. It has no codes of its own, so its sentences are what there is. */
import { type Code, FileError } from "../../fs/error.ts";
import { lines, plain } from "./words.ts";

/** How a command of Docker's client ended, and what it said. */
export interface Ended {
  readonly code: number;
  readonly stderr: string;
}

interface Known {
  readonly says: RegExp;
  readonly code: Code;
  readonly detail: string;
  /** Whether the engine was reached at all. */
  readonly asked: boolean;
}

const unreached = (says: RegExp, detail: string): Known => ({
  says,
  code: "provider_unavailable",
  detail,
  asked: false,
});
const refused = (says: RegExp, code: Code, detail: string): Known => ({
  says,
  code,
  detail,
  asked: true,
});

/** The first that fits. None of them quotes the host's paths. */
const KNOWN: readonly Known[] = [
  unreached(
    /permission denied while trying to connect|dial unix [^:]*: connect: permission denied/i,
    "this user may not talk to the Docker engine; add it to the group docker, or run Docker rootless",
  ),
  unreached(
    /Cannot connect to the Docker daemon|Is the docker daemon running|error during connect|failed to connect to the docker API/i,
    "the Docker engine does not run; start it: systemctl start docker, or Docker Desktop",
  ),
  unreached(
    /context .*not found|unable to resolve docker endpoint/i,
    "the Docker context that is chosen does not exist; see docker context ls",
  ),
  unreached(
    /client version .* is too (?:new|old)|Minimum supported API version/i,
    "Docker's client and its engine do not understand each other; update the older one",
  ),
  refused(
    /No such image|Unable to find image|reference does not exist/i,
    "not_found",
    "the engine has no such image; an operator gets it with agentd images pull",
  ),
  refused(
    /pull access denied|manifest(?: for .*)? (?:unknown|not found)|repository .* not found|requested access to the resource is denied/i,
    "not_found",
    "the registry has no such image, or wants a docker login first",
  ),
  refused(
    /invalid reference format/i,
    "invalid_request",
    "that is no name of an image: NAME:TAG, such as python:3.13-slim",
  ),
  refused(/toomanyrequests|pull rate limit/i, "rate_limited", "the registry wants a pause first"),
  refused(
    /No such container|is not running|container .* (?:is|has) (?:stopped|exited)|cannot exec in a stopped/i,
    "interrupted",
    "the session's container has ended",
  ),
  refused(
    /no space left on device|disk quota exceeded/i,
    "quota_exceeded",
    "the engine's disk is full; make room, with docker system df",
  ),
  refused(
    /unknown or invalid runtime|invalid runtime name|unknown runtime/i,
    "provider_unavailable",
    "the engine has no such runtime; look at containers.docker.runtime in the settings",
  ),
  refused(
    /network .* not found|No such network/i,
    "provider_unavailable",
    "the engine has no such network; look at containers.docker.network in the settings",
  ),
  refused(
    /lookup .*(?:no such host|server misbehaving|i\/o timeout)|dial tcp|TLS handshake|net\/http: request canceled|EOF$/i,
    "io",
    "the registry cannot be reached",
  ),
  refused(
    /Cannot (?:set|allocate)|cannot allocate memory|resource temporarily unavailable|OCI runtime create failed.*memory/i,
    "provider_unavailable",
    "this machine has no room for another container",
  ),
];

/** What a command that ended badly comes to. */
export function engineFailure(op: string, on: string, { code, stderr }: Ended): FileError {
  const known = KNOWN.find(({ says }) => says.test(stderr));
  const said = sentence(stderr);
  if (known === undefined) {
    const detail = said === "" ? `docker ended with ${code} and said nothing` : `docker: ${said}`;
    return new FileError("provider_unavailable", op, on, { detail });
  }
  const init = { detail: known.detail, cause: said };
  return new FileError(
    known.code,
    op,
    on,
    known.asked ? init : { ...init, extra: { asked: false } },
  );
}

/** The line that has the reason: what comes behind is advice for people at a terminal. */
function sentence(stderr: string): string {
  const all = lines(stderr);
  const found = all.find((line) => /error|denied|cannot|failed|invalid/i.test(line)) ?? all[0];
  return plain(found ?? "").replace(/^(?:docker: )?(?:Error response from daemon: )?/i, "");
}
