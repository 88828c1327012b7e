/** Requests whose body is JSON of a known form. */
import type { z } from "zod";
import { parseJson } from "../core/strange.ts";
import { FileError } from "../fs/error.ts";
import { readBody } from "./body.ts";

/** @param empty what no body at all means; without it, none is no JSON. @throws FileError `invalid_request`, naming the field; `too_large` */
export async function readJson<T>(
  request: Request,
  path: string,
  form: z.ZodType<T>,
  empty?: T,
): Promise<T> {
  const bytes = await readBody(request, path);
  if (bytes.length === 0 && empty !== undefined) return empty;
  let value: unknown;
  try {
    value = parseJson(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw invalid(path, `the body is not JSON: ${String((error as Error).message).slice(0, 200)}`);
  }
  const result = form.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const field = issue?.path.length ? issue.path.join(".") : undefined;
  const where = field === undefined ? "" : `${field}: `;
  throw invalid(path, where + (issue?.message ?? "not what is expected"), field);
}

/** @param field of the body, where one is wrong */
export function invalid(path: string, detail: string, field?: string): FileError {
  const extra = field === undefined ? {} : { extra: { field } };
  return new FileError("invalid_request", "ask", path, { detail, ...extra });
}
