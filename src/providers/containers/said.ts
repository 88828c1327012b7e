/** What an engine says in JSON: taken as far as it is what was asked for, and refused as the engine's fault where it is not. */
import type { z } from "zod";
import { FileError } from "../../fs/error.ts";

/** @throws FileError `provider_unavailable` */
export function saidIn<S extends z.ZodType>(schema: S, text: string, on: string): z.output<S> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw notUnderstood(on);
  }
  const { data, success } = schema.safeParse(value);
  if (!success) throw notUnderstood(on);
  return data;
}

function notUnderstood(on: string): FileError {
  const detail =
    "the engine's answer is not understood; see whether its client and it are of one age";
  return new FileError("provider_unavailable", "ask for", on, { detail });
}
