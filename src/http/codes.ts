/** Errors as answers and back: `application/problem+json` (RFC 9457), without a stack, a host path or a secret. */
import { type Code, codeOf, CODES, type ErrorExtra, FileError, isCode } from "../fs/error.ts";

export const PROBLEM_TYPE = "application/problem+json";
/** Seconds after which a refused sender may try again, where the error does not say. */
const RETRY_AFTER_S = 1;
/** Codes that ask for another try later. */
const LATER: ReadonlySet<Code> = new Set(["inbox_full", "rate_limited"]);
/** Their details are about the server's disk and code; they are for its log and not for a caller. */
const WITHHELD: ReadonlySet<Code> = new Set(["io", "corrupt", "internal"]);
/** Members that RFC 9457 and we define; what an error adds may not pose as one of them. */
const OWN = ["type", "title", "status", "code", "detail", "op", "path", "instance"];
const TYPE_PREFIX = "urn:agentd:error:";

export type Problem = Readonly<Record<string, unknown>> & {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: Code;
  readonly detail: string;
};

/** Of these, those that the disk or the database has caused are the server's: a disk that is full has a cause, a quota that is used up has none. */
const CAUSED: ReadonlySet<Code> = new Set(["quota_exceeded", "timeout"]);

/** The server's own trouble: what it is about is for its log. */
export function isServers(error: unknown): boolean {
  const code = codeOf(error);
  return WITHHELD.has(code) ||
    (CAUSED.has(code) && (error as FileError).cause !== undefined);
}

/** What a caller is told of an error. `instance`: the path of the request. */
export function problemOf(error: unknown, instance?: string): Problem {
  const code = codeOf(error);
  const told = error as FileError;
  const hidden = WITHHELD.has(code);
  return {
    ...(hidden ? {} : told.extra),
    type: TYPE_PREFIX + code,
    title: titleOf(code),
    status: CODES[code],
    code,
    detail: hidden ? "it failed inside; the server's log says more" : told.detail ?? told.message,
    ...(isServers(error) ? {} : { op: told.op, path: told.path }),
    ...(instance === undefined ? {} : { instance }),
  };
}

/** The error as a response, with `Retry-After` and `WWW-Authenticate` where they belong. */
export function problem(error: unknown, instance?: string): Response {
  const body = problemOf(error, instance);
  const headers: Record<string, string> = {
    "content-type": PROBLEM_TYPE,
    "cache-control": "no-store",
  };
  if (LATER.has(body.code)) headers["retry-after"] = String(retryAfterS(body));
  if (body.code === "auth_required") headers["www-authenticate"] = 'Bearer realm="agentd"';
  const size = body.size;
  if (body.code === "range_not_satisfiable" && typeof size === "number") {
    headers["content-range"] = `bytes */${size}`;
  }
  return new Response(JSON.stringify(body), { status: body.status, headers });
}

/** 405: the resource is there, but not for this method. */
export function wrongMethod(method: string, allow: readonly string[], instance: string): Response {
  const detail = `it takes ${allow.join(", ")}`;
  const body = {
    ...problemOf(new FileError("not_supported", method, instance, { detail }), instance),
    status: 405,
  };
  return new Response(JSON.stringify(body), {
    status: 405,
    headers: {
      "content-type": PROBLEM_TYPE,
      "cache-control": "no-store",
      "allow": allow.join(", "),
    },
  });
}

/** The error that a problem tells of, as its caller tried it; undefined if `body` is no problem of ours. */
export function errorOf(body: unknown, op: string, path: string): FileError | undefined {
  if (typeof body !== "object" || body === null) return undefined;
  const { code, detail } = body as Partial<Problem>;
  if (!isCode(code)) return undefined;
  const extra = Object.entries(body).filter(([name, value]) =>
    !OWN.includes(name) && isPlain(value)
  );
  return new FileError(code, op, path, {
    ...(typeof detail === "string" ? { detail } : {}),
    ...(extra.length ? { extra: Object.fromEntries(extra) as ErrorExtra } : {}),
  });
}

function isPlain(value: unknown): boolean {
  return ["string", "number", "boolean"].includes(typeof value) ||
    (Array.isArray(value) && value.every((item) => typeof item === "string"));
}

function retryAfterS({ retry_after_ms }: Problem): number {
  return typeof retry_after_ms === "number"
    ? Math.max(1, Math.ceil(retry_after_ms / 1000))
    : RETRY_AFTER_S;
}

/** `not_found` → `Not found` */
function titleOf(code: Code): string {
  const words = code.replaceAll("_", " ");
  return words[0]!.toUpperCase() + words.slice(1);
}
