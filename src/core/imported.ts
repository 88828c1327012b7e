/** What rows of a file must be, so that who reads them later is not led astray: their keys as the runtime writes them, and its own counts as counts. */
import { z } from "zod";
import { decodeJson, encodeJson } from "./code.ts";
import { key } from "./keys.ts";
import type { Row } from "./storage.ts";

const N = "\\d{12}";
const MS = "\\d{16}";
/** As `keyName` writes a name. */
const NAME = "(?:[&-.0-}]|[%~][0-9A-F]{2})*";
/** A name in a path. */
const SEGMENT = "(?!\\.{1,2}(?:/|!?$))(?:[&-.0-}]|[%~][0-9A-F]{2})+";
const ID = "[A-Za-z0-9._:-]{1,128}";

/** Keys of families that have an order or are taken apart again. */
const KEYS: Readonly<Record<string, RegExp>> = Object.fromEntries(
  Object.entries({
    inbox: N,
    outbox: N,
    send: N,
    try: N,
    trajectory: N,
    alarm: `${MS}/${NAME}`,
    alarmid: NAME,
    retry: `${MS}/${N}`,
    reply: `${ID}/${N}`,
    seen: ID,
    dead: ID,
    pending: ID,
    mark: NAME,
    kv: NAME,
    goal: NAME,
    file: `(?:${SEGMENT}/)*/${SEGMENT}!?`,
    budget: `${MS}/${N}`,
    blob: `[^/]+/${N}`,
  }).map(([family, rest]) => [family, new RegExp(`^${family}/${rest}$`)]),
);

const count = z.int().min(0);
const failure = z.looseObject({ code: z.string() }).nullable();
const turn = z.looseObject({
  ticks: count,
  inbox: count.min(1),
  outbox: count.min(1),
  send: count.min(1),
  trajectory: count.min(1),
  trace: count.min(1),
  marks: count.min(1),
  failures: count,
  last_at: z.int().nullable(),
  last_cause: z.string().nullable(),
  last_error: failure,
  version: count,
  worked: z.looseObject({ day: z.int(), ms: z.number().min(0) }).optional(),
});
const phase = z.looseObject({
  phase: z.enum(["active", "paused", "failed"]),
  since: z.int(),
  why: z.string().optional(),
});
const VALUES: Readonly<Record<string, z.ZodType>> = { [key.turn]: turn, [key.phase]: phase };
/** Their values are taken apart as objects. */
const OBJECTS =
  /^(?:inbox|outbox|send|try|trajectory|alarm|seen|dead|goal|file|budget|job|approval)\//;

/** Is it a row as the runtime itself would have written it, as far as that can be told from one row? */
export function isOurs({ key: at, value }: Row): boolean {
  const family = at.slice(0, at.indexOf("/"));
  if (Object.hasOwn(KEYS, family) && !KEYS[family]!.test(at)) return false;
  const schema = Object.hasOwn(VALUES, at) ? VALUES[at]! : undefined;
  if (schema) return schema.safeParse(valueOf(value)).success;
  if (!OBJECTS.test(at)) return true;
  const parsed = valueOf(value);
  return typeof parsed === "object" && parsed !== null && !Array.isArray(parsed);
}

const JOBS = key.open("job/");
const IMPORTED = { imported: true };

/** A job that was open in the life that was exported is known as one of another life: what it has outside may be that life's still, and is asked for by its id alone. */
export function adopted(row: Row): Row {
  return row.key.startsWith(JOBS) ? { key: row.key, value: encodeJson(IMPORTED) } : row;
}

/** Was the job of this marker open in another life? */
export function isImported({ value }: Row): boolean {
  return decodeJson<Partial<typeof IMPORTED>>(value).imported === true;
}

/** Undefined for what is no JSON. */
function valueOf(value: Uint8Array): unknown {
  try {
    // Larger values begin with a zero byte, and their heads are looked at by who puts them together.
    return value[0] === 0 ? {} : decodeJson(value);
  } catch {
    return undefined;
  }
}
