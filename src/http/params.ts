/** What a query may say: each parameter by its name, the schema that checks it, and what it means. */
import { z } from "zod";
import { FileError } from "../fs/error.ts";
import { STATES } from "./schemas.ts";
import { type Query, wholeNumber } from "./target.ts";

export interface Param<T> {
  readonly name: string;
  readonly schema: z.ZodType<T>;
  /** What the text says, before the schema looks at it; undefined: nothing that it could be. */
  readonly read: (text: string) => unknown;
  /** Ends the sentence that refuses: `limit is …`. */
  readonly rule: string;
  readonly about: string;
}

const count = z.int().min(0);

function number(name: string, about: string): Param<number> {
  return { name, schema: count, read: wholeNumber, rule: "an integer from 0", about };
}

function text(name: string, about: string): Param<string> {
  return { name, schema: z.string(), read: (text) => text, rule: "a text", about };
}

function choice<T extends string>(name: string, words: readonly T[], about: string): Param<T> {
  const rule = words.length === 1
    ? words[0]!
    : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
  return { name, schema: z.enum(words), read: (text) => text, rule, about };
}

/** A bare name says yes. */
function flag(name: string, about: string): Param<boolean> {
  const words: Record<string, boolean> = { "": true, 1: true, true: true, 0: false, false: false };
  const read = (text: string) => Object.hasOwn(words, text) ? words[text] : undefined;
  return { name, schema: z.boolean(), read, rule: "1 or 0", about };
}

const MAX_WAIT_DIGITS = /^[0-9]{1,9}(?:\.[0-9]{1,9})?$/;

export const LIMIT = number("limit", "How many at the most.");
export const STATE = choice("state", STATES, "Only agents in this state.");
export const AFTER_NAME = text("after", "Only those behind this one.");
export const AFTER_SEQ = number("after", "Of a stream: only events whose `seq` is greater.");
export const FROM_SEQ = number("from", "Of a stream: only events from this `seq` on.");
export const TO_SEQ = number("to", "Of a stream: only events up to this `seq`.");
export const TAIL = number("tail", "Of a stream: begin with the last so many events.");
export const OFFSET = number("offset", "The first byte that is read or replaced.");
export const LENGTH = number("len", "How many bytes are read at the most.");
export const WATCH = flag("watch", "Events as they come (SSE), or surely not.");
export const APPEND = flag("append", "At the file's end, in place of what it holds.");
export const STAT_FLAG = flag("stat", "What the file is, in place of what it holds.");
export const OPEN = choice(
  "open",
  ["write", "append", "call"],
  "May it be opened so? Changes nothing.",
);
export const READ_MODE = choice("mode", ["read", "call"], "This way of use, or a refusal.");
export const IMPORT_MODE = choice(
  "mode",
  ["restore", "clone"],
  "`restore` (if absent): the same life goes on. `clone`: a new one with the same memory.",
);
export const IMPORT_ID = text("id", "Another id than the file's.");
export const WAIT: Param<number> = {
  name: "wait",
  schema: z.number().min(0),
  read: (text) => MAX_WAIT_DIGITS.test(text) ? Number(text) : undefined,
  rule: "a number of seconds",
  about: "Waits so many seconds for the replies.",
};

/** What a query says; undefined where it says nothing. @throws FileError `invalid_request` */
export function paramIn<T>(query: Query | undefined, param: Param<T>): T | undefined {
  const text = query?.get(param.name);
  if (text === undefined) return undefined;
  const result = param.schema.safeParse(param.read(text));
  if (result.success) return result.data;
  throw refusedParam(param, text);
}

export function refusedParam({ name, rule }: Param<unknown>, text: string): FileError {
  return new FileError("invalid_request", "parse", name, {
    detail: `${name} is ${rule}, not ${JSON.stringify(text.slice(0, 100))}`,
  });
}
