/** A file that says which agents there are to be: YAML (or JSON, which is YAML) into a checked fleet; a mistake is told with its line. */
import { resolve } from "node:path";
import process from "node:process";
import { type Document, isNode, LineCounter, parseDocument } from "yaml";
import { z } from "zod";
import { ACCESSES } from "../core/access.ts";
import { AUTONOMIES, type Autonomy } from "../core/autonomy.ts";
import type { BudgetPolicy } from "../core/budget.ts";
import { parseDollars } from "../core/money.ts";
import { type AgentId, agentId } from "../core/id.ts";
import { MAX_NAME } from "../core/configure.ts";
import { limitsSchema, type SomeLimits } from "../core/limits.ts";
import type { Json } from "../core/envelope.ts";
import type { DirectoryMount } from "../core/provider.ts";
import type { Access } from "../core/view.ts";
import { FileError } from "../fs/error.ts";
import { usage } from "./exit.ts";
import { didYouMean } from "./similar.ts";

/** Of such a file. */
export const FLEET_VERSION = 1;
const MAX_GOALS = 100;

/** What the file says of an agent; what it leaves out is not its business. */
export interface FleetEntry {
  /** A built-in's name, or a source file, from the file's own directory. */
  readonly agent: string;
  readonly name?: string;
  readonly config?: Json;
  readonly goals?: readonly string[];
  /** Null: not mounted. A directory's path is absolute. */
  readonly mounts?: Readonly<Record<string, Access | DirectoryMount | null>>;
  readonly limits?: SomeLimits;
  /** By mount; `/` is all that it does. Null: none. */
  readonly budgets?: Readonly<Record<string, SomePolicy | null>>;
  /** Said when it is made; an agent that is there keeps its own. */
  readonly autonomy?: Autonomy;
  readonly paused?: boolean;
}

/** A policy as far as the file says it. */
export type SomePolicy = Pick<BudgetPolicy, "per_day_micro_usd"> & Partial<BudgetPolicy>;

export type Fleet = ReadonlyMap<AgentId, FleetEntry>;

/** A directory of the server's machine; its path is from the file's own directory. */
const directorySchema = z.strictObject({
  dir: z.string().min(1),
  access: z.enum(["read_only", "read_write", "disabled"]),
  hidden: z.array(z.string()).exactOptional(),
});
type GivenMount = Access | z.infer<typeof directorySchema> | null;

/** People count in dollars. */
const amount = z.string().transform((text, context): number => {
  try {
    return parseDollars(text);
  } catch {
    context.addIssue({ code: "custom", message: "an amount of dollars, such as $0.50" });
    return z.NEVER;
  }
});
const daily = z.string().transform((text) => text.replace(/\/day$/, "")).pipe(amount);
const budgetSchema = z.union([
  daily.transform((per_day_micro_usd): SomePolicy => ({ per_day_micro_usd })),
  z.strictObject({
    per_day: daily,
    per_tick: amount.exactOptional(),
    approve_above: amount.exactOptional(),
  }).transform(({ per_day, per_tick, approve_above }): SomePolicy => ({
    per_day_micro_usd: per_day,
    ...(per_tick === undefined ? {} : { per_tick_micro_usd: per_tick }),
    ...(approve_above === undefined ? {} : { approval_threshold_micro_usd: approve_above }),
  })),
  z.null(),
], "a budget ($1/day), { per_day, per_tick, approve_above } in dollars, or null");

const entrySchema = z.strictObject({
  agent: z.string().min(1),
  name: z.string().min(1).max(MAX_NAME),
  config: z.json(),
  goals: z.array(z.string().min(1)).max(MAX_GOALS),
  mounts: z.record(
    z.string().startsWith("/"),
    z.union([
      z.enum(ACCESSES),
      directorySchema,
      z.null(),
    ], `an access (${ACCESSES.join(", ")}), { dir, access }, or null`),
  ),
  limits: limitsSchema,
  budgets: z.record(z.string().startsWith("/"), budgetSchema),
  autonomy: z.enum(AUTONOMIES),
  paused: z.boolean(),
}).partial().required({ agent: true });

const fleetSchema = z.strictObject({
  version: z.literal(FLEET_VERSION, `the file begins with "version: ${FLEET_VERSION}"`),
  agents: z.record(
    z.string().superRefine((id, context) => {
      try {
        agentId(id);
      } catch (error) {
        context.addIssue({ code: "custom", message: (error as FileError).detail! });
      }
    }),
    entrySchema,
  ),
});

/**
 * @param shown the file's name, as people wrote it
 * @param dir from where its paths are
 * @throws usage error with the line and column
 */
export function parseFleet(text: string, shown: string, dir: string): Fleet {
  const lines = new LineCounter();
  const document = withoutEnv(() =>
    parseDocument(text, {
      lineCounter: lines,
      prettyErrors: false,
      merge: true,
      // What it would warn of on standard error is refused here, with its line.
      logLevel: "error",
    })
  );
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${shown}:${line}:${col}`;
  };
  const [error] = document.errors;
  if (error) throw usage(`${at(error.pos[0])}: ${error.message}`);
  const result = fleetSchema.safeParse(valueOf(document, shown));
  if (!result.success) throw told(result.error.issues[0]!, document, at);
  const agents = Object.entries(result.data.agents);
  return new Map(agents.map(([id, { mounts, ...entry }]) => [
    agentId(id),
    { ...entry, ...(mounts ? { mounts: mountsOf(mounts, dir) } : {}) } as FleetEntry,
  ]));
}

function mountsOf(mounts: Record<string, GivenMount>, from: string) {
  const of = (mount: GivenMount): Access | DirectoryMount | null => {
    if (mount === null || typeof mount === "string") return mount;
    const { dir, ...rest } = mount;
    return { type: "dir", path: realPath(resolve(from, dir)), ...rest };
  };
  return Object.fromEntries(Object.entries(mounts).map(([path, mount]) => [path, of(mount)]));
}

/** As the server keeps it, so that the two can be compared; what is not there is the server's to refuse. */
function realPath(path: string): string {
  try {
    return Deno.realPathSync(path);
  } catch {
    return path;
  }
}

/** The parser looks for two variables that switch its own traces on; this program may not see them, and a refusal would be an error. */
function withoutEnv<T>(run: () => T): T {
  const { env } = process;
  process.env = {};
  try {
    return run();
  } finally {
    process.env = env;
  }
}

function valueOf(document: Document, shown: string): unknown {
  try {
    return document.toJS({ maxAliasCount: 1_000, reviver: noProto });
  } catch (error) {
    throw usage(`${shown}: ${(error as Error).message}`);
  }
}

/** A check would drop it in silence. */
function noProto(key: unknown, value: unknown): unknown {
  if (key === "__proto__") throw new Error("nothing can be called __proto__");
  return value;
}

type Issue = z.core.$ZodIssue;

function told(issue: Issue, document: Document, at: (offset: number) => string): Error {
  const extra = issue.code === "unrecognized_keys" ? issue.keys[0] : undefined;
  const path = extra === undefined ? issue.path : [...issue.path, extra];
  const place = at(offsetOf(document, path));
  const name = path.join(".");
  if (extra !== undefined) {
    const hint = didYouMean(extra, knownAt(issue.path));
    return usage(`${place}: ${name}: there is no such field`, hint);
  }
  const bad = issue.code === "invalid_key" ? issue.issues[0]?.message : undefined;
  return usage(`${place}: ${name === "" ? "" : `${name}: `}${bad ?? issue.message}`);
}

/** The names of the fields at a path. */
function knownAt(path: readonly PropertyKey[]): string[] {
  if (path.length === 0) return ["version", "agents"];
  if (path.length === 2) return Object.keys(entrySchema.shape);
  return path[3] === "retention"
    ? Object.keys(limitsSchema.shape.retention.unwrap().shape)
    : Object.keys(limitsSchema.shape);
}

/** Where a value stands in the text; where it does not, what is around it. */
function offsetOf(document: Document, path: readonly PropertyKey[]): number {
  for (let length = path.length; length >= 0; length--) {
    const node = length === 0 ? document.contents : document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return node.range[0];
  }
  return 0;
}
