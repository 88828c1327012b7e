/** Errors as OpenAI's clients read them: `{ error: { message, type, param, code } }`, with the statuses and codes of all other routes. */
import { z } from "zod";
import type { Code } from "../../fs/error.ts";
import { type Problem, PROBLEM_TYPE, problemOf } from "../codes.ts";
import { named } from "../schemas.ts";
import { rawPath } from "../target.ts";

/** All that is answered here is answered in OpenAI's words. */
const PREFIX = "/v1/";
/** Their clients send again by themselves what has failed, which must not make an agent take a message twice: only these are worth it. */
const WORTH_A_RETRY: ReadonlySet<Code> = new Set([
  "inbox_full",
  "rate_limited",
  "provider_unavailable",
]);
/** What their SDKs heed before the status. */
const RETRY_HEADER = "x-should-retry";
/** What a problem has besides what an error added. */
const PROBLEMS_OWN = ["type", "title", "status", "code", "detail", "op", "path", "instance"];

export const OPENAI_ERROR = named(
  "OpenAiError",
  z.object({
    error: z.looseObject({
      message: z.string().meta({ description: "Why, and what to do about it." }),
      type: z.string(),
      param: z.string().nullable().meta({ description: "The field of the body that is wrong." }),
      code: z.string().meta({ description: "Of the closed list of all routes." }),
    }),
  }),
);

/** Is the URL, or the path, one whose clients speak OpenAI's protocol? */
export function speaksOpenAi(url: string): boolean {
  const path = rawPath(url);
  return path.startsWith(PREFIX) || path === PREFIX.slice(0, -1);
}

/** An answer as it goes out: a problem in their words, everything else as it is. */
export async function inOpenAiWords(answer: Response): Promise<Response> {
  if (answer.headers.get("content-type") !== PROBLEM_TYPE) return answer;
  const headers = new Headers(answer.headers);
  headers.set("content-type", "application/json");
  // What answers a HEAD has nothing but headers.
  if (answer.body === null) return new Response(null, { status: answer.status, headers });
  const told = await answer.json() as Problem;
  if (!WORTH_A_RETRY.has(told.code)) headers.set(RETRY_HEADER, "false");
  return new Response(JSON.stringify(errorBody(told)), { status: answer.status, headers });
}

/** An error in the midst of a stream, which has no status any more. */
export function errorEvent(error: unknown): string {
  return JSON.stringify(errorBody(problemOf(error)));
}

function errorBody(told: Problem) {
  const { field, ...added } = Object.fromEntries(
    Object.entries(told).filter(([name]) => !PROBLEMS_OWN.includes(name)),
  );
  return {
    error: {
      ...added,
      message: told.detail,
      type: typeOf(told.status),
      param: typeof field === "string" ? field : null,
      code: told.code,
    },
  };
}

/** Their name for a status. */
function typeOf(status: number): string {
  switch (status) {
    case 401:
      return "authentication_error";
    case 402:
      return "insufficient_quota";
    case 403:
      return "permission_error";
    case 429:
      return "rate_limit_error";
    default:
      return status < 500 ? "invalid_request_error" : "server_error";
  }
}
