/** JSON in and out of files: what does not parse, or does not fit, is refused with what was wrong. */
import type { ZodType } from "zod";
import { parseJson } from "../../core/strange.ts";
import { refusal } from "../../fs/tree.ts";

const strict = new TextDecoder("utf-8", { fatal: true });

export const JSON_TYPE = "application/json";

/** @throws FileError `invalid_request` if it is not UTF-8 */
export function textOf(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes);
  } catch {
    throw refusal("invalid_request", "it is not UTF-8 text");
  }
}

/** @throws FileError `invalid_request`; `hint` says what is expected */
export function jsonOf(bytes: Uint8Array, hint: string): unknown {
  const text = textOf(bytes);
  try {
    return parseJson(text);
  } catch (error) {
    throw refusal("invalid_request", `${hint}; this is no JSON: ${(error as Error).message}`);
  }
}

/** @throws FileError `invalid_request` with the first thing that is wrong and where */
export function fitting<T>(schema: ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  const where = issue.path.length > 0 ? `${issue.path.join(".")}: ` : "";
  throw refusal("invalid_request", where + issue.message);
}
