/** How something done outside has ended, as it is kept: an answer, or a refusal that stays one. */
import { type Code, codeOf, type ErrorExtra, FileError } from "../fs/error.ts";
import type { Json } from "./envelope.ts";

export type Ending = { readonly answer: Json } | {
  readonly error: {
    readonly code: Code;
    readonly detail?: string;
    readonly extra?: ErrorExtra;
  };
};

/** Refusals that may be none the next time: they are not kept. */
const TRANSIENT: ReadonlySet<Code> = new Set([
  "provider_unavailable",
  "timeout",
  "rate_limited",
  "budget_exceeded",
  "approval_required",
  "not_ready",
  "inbox_full",
  "internal",
  "io",
]);

export function isDone(ending: Ending): ending is { readonly answer: Json } {
  return "answer" in ending;
}

/** A refusal as it is kept; undefined for one that may be none the next time. */
export function refusalOf(error: unknown): Ending | undefined {
  const code = codeOf(error);
  if (TRANSIENT.has(code)) return undefined;
  const { detail, extra } = error as FileError;
  return {
    error: {
      code,
      ...(detail === undefined ? {} : { detail }),
      ...(extra === undefined ? {} : { extra }),
    },
  };
}

/** Nobody outside was asked: so nothing was bought. */
export function wasNotAsked(error: unknown): boolean {
  return (error as Partial<FileError>)?.extra?.asked === false;
}
