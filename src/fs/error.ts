/** The one error type of the program and its closed list of codes; it carries no stack, host path or secret to a reader. */

/** Every code with the HTTP status under which it is told. */
export const CODES = {
  not_found: 404,
  permission_denied: 403,
  already_exists: 409,
  not_directory: 409,
  is_directory: 409,
  invalid_path: 400,
  invalid_request: 400,
  too_large: 413,
  not_ready: 409,
  conflict: 409,
  precondition_failed: 412,
  range_not_satisfiable: 416,
  budget_exceeded: 402,
  insufficient_credits: 402,
  approval_required: 403,
  auth_required: 401,
  idempotency_required: 400,
  max_cost_required: 400,
  inbox_full: 503,
  rate_limited: 429,
  quota_exceeded: 507,
  not_supported: 501,
  provider_unavailable: 503,
  timeout: 504,
  interrupted: 500,
  agent_error: 500,
  out_of_memory: 500,
  nondeterministic: 500,
  corrupt: 500,
  io: 500,
  internal: 500,
} as const;

export type Code = keyof typeof CODES;

/** What a machine may read beside the sentence: the limit, what was asked for, what remains. Plain JSON values only. */
export type ErrorExtra = Readonly<Record<string, string | number | boolean | readonly string[]>>;

export interface FileErrorInit {
  /** Why, and what to do about it, in a sentence for people. */
  detail?: string;
  extra?: ErrorExtra;
  cause?: unknown;
}

/** An error of any operation on a file, an agent or the runtime: `Cannot open "/jobs/7": not_found (no such job)`. */
export class FileError extends Error {
  override readonly name = "FileError";
  readonly code: Code;
  /** The verb that was tried: `open`, `write`, `send`, `create` … */
  readonly op: string;
  /** What it was tried on, as its caller named it. */
  readonly path: string;
  readonly detail: string | undefined;
  readonly extra: ErrorExtra | undefined;

  constructor(code: Code, op: string, path: string, init: FileErrorInit = {}) {
    super(
      `Cannot ${op} ${JSON.stringify(path)}: ${code}${init.detail ? ` (${init.detail})` : ""}`,
      "cause" in init ? { cause: init.cause } : undefined,
    );
    this.code = code;
    this.op = op;
    this.path = path;
    this.detail = init.detail;
    this.extra = init.extra;
  }
}

/** True for a code of the closed list (names of `Object.prototype` are just names). */
export function isCode(value: unknown): value is Code {
  return typeof value === "string" && Object.hasOwn(CODES, value);
}

/** Does `error` say `code`? Also true across realms, where `instanceof` is not. */
export function hasCode(error: unknown, code: Code): boolean {
  return codeOf(error) === code;
}

/** The code of a `FileError` from any realm; `internal` for everything else. */
export function codeOf(error: unknown): Code {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return (error as { name?: unknown } | null | undefined)?.name === "FileError" && isCode(code)
    ? code
    : "internal";
}

/**
 * The same refusal told again by an outer layer: its verb and its caller's path, never the inner ones.
 * What is no `FileError` becomes `internal`, its text kept in `cause` for logs only.
 */
export function retold(error: unknown, op: string, callerPath: string): FileError {
  const path = clipped(callerPath);
  const inner = error as Partial<FileError> | undefined;
  if (inner?.name !== "FileError" || !isCode(inner.code)) {
    return new FileError("internal", op, path, { cause: error });
  }
  return new FileError(inner.code, op, path, {
    ...(inner.detail === undefined ? {} : { detail: inner.detail }),
    ...(inner.extra === undefined ? {} : { extra: withoutPath(inner.extra) }),
    ...(inner.cause === undefined ? {} : { cause: inner.cause }),
  });
}

/** An inner path means nothing to the outer caller. */
function withoutPath(extra: ErrorExtra): ErrorExtra {
  return Object.fromEntries(Object.entries(extra).filter(([name]) => name !== "path"));
}

/** A path that is too long to be one is not repeated in full. */
function clipped(path: unknown): string {
  const text = String(path);
  return text.length > 4096 ? `${text.slice(0, 200)}…` : text;
}
