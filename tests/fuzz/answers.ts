/** What every answer of the control plane is, whatever was asked: never a failure inside, and an error always in the form that is documented. */
import { CODES, isCode } from "../../src/fs/error.ts";
import { PROBLEM_TYPE } from "../../src/http/codes.ts";
import { speaksOpenAi } from "../../src/http/openai/errors.ts";
import { equal, ok } from "../assert.ts";

export interface Told {
  readonly status: number;
  readonly type: string | null;
  /** Undefined: it has none, or does not end by itself. */
  readonly body: string | undefined;
}

/** Reads an answer, of a watch only the beginning. */
export async function told(answer: Response): Promise<Told> {
  const { status } = answer;
  const type = answer.headers.get("content-type");
  ok(answer.headers.has("x-agentd"), "it says who answers");
  if (!answer.body) return { status, type, body: undefined };
  if (type !== "text/event-stream") return { status, type, body: await answer.text() };
  const reader = answer.body.getReader();
  await reader.read();
  await reader.cancel();
  return { status, type, body: undefined };
}

/** @throws when it is a failure inside, or an error in any other form */
export function mustBeGood(url: string, method: string, { status, type, body }: Told): void {
  ok(status !== 500, `500: ${body}`);
  ok(status >= 200 && status < 600, `${status}`);
  if (status < 400) {
    // A file's type is its writer's word, and a range of JSON is none.
    if (status === 201 || status === 202) JSON.parse(body ?? "");
    return;
  }
  if (speaksOpenAi(url)) {
    equal(type, "application/json");
    if (method === "HEAD") return;
    const { error } = JSON.parse(body ?? "");
    ok(isCode(error.code) && typeof error.message === "string" && typeof error.type === "string");
    return;
  }
  equal(type, PROBLEM_TYPE);
  if (method === "HEAD") return;
  const problem = JSON.parse(body ?? "");
  ok(isCode(problem.code), body);
  equal(problem.type, `urn:agentd:error:${problem.code}`);
  equal(problem.status, status);
  // A method that a route does not take has a status of its own.
  if (status !== 405) equal(CODES[problem.code as keyof typeof CODES], status);
  for (const name of ["title", "detail", "instance"]) ok(typeof problem[name] === "string", body);
}
