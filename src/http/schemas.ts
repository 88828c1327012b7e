/** What answers look like. The compiler holds each against the type of what is told, and a test against what is answered. */
import { z } from "zod";
import type { LifecycleState, TickResult } from "../core/agent.ts";
import { ACCESSES } from "../core/access.ts";
import { budgetPolicySchema } from "../core/budget.ts";
import type { Json } from "../core/envelope.ts";
import { limitsSchema } from "../core/limits.ts";
import type { AgentDetails, AgentInfo, RuntimeStatus, Waited } from "../core/runtime.ts";
import { CANS, type TokenGrant } from "../core/tokens.ts";
import type { MountRow, Receipt } from "../core/view.ts";
import { CODES } from "../fs/error.ts";
import type { Stat } from "../fs/file.ts";

/** A schema with the name under which the document tells it. */
export interface Named<T = unknown> {
  readonly name: string;
  readonly schema: z.ZodType<T>;
}

export function named<T>(name: string, schema: z.ZodType<T>): Named<T> {
  return { name, schema };
}

/** A string that carries a brand in code and none in JSON. */
function branded<T extends string>(about: string): z.ZodType<T> {
  return z.string().meta({ description: about }) as unknown as z.ZodType<T>;
}
const json = z.json() as z.ZodType<Json>;
const count = z.int().min(0);
const time = z.iso.datetime();
const code = z.enum(Object.keys(CODES) as (keyof typeof CODES)[]);

export const STATES: readonly LifecycleState[] = [
  "creating",
  "active",
  "dormant",
  "paused",
  "failed",
  "terminated",
];
const state = z.enum(STATES);

const failure = z.object({
  code,
  message: z.string(),
  stack: z.array(z.string()).exactOptional().meta({
    description: "Where in the agent's own code, innermost first.",
  }),
});
const lastError = failure.extend({ at: time });
const limits = limitsSchema.required().extend({
  retention: limitsSchema.shape.retention.unwrap().required(),
});

const agentInfo = z.object({
  id: branded<AgentInfo["id"]>("`^[a-z0-9][a-z0-9_-]{0,62}$`"),
  name: z.string(),
  agent: z.string().meta({ description: "The built-in's name, or `module`." }),
  state,
  pubkey: z.string(),
  npub: z.string(),
  code_digest: z.string(),
  created_at: time,
  last_tick_at: time.nullable(),
  last_tick_cause: z.string().nullable(),
  last_error: lastError.nullable(),
  tick_count: count,
  failures: count.meta({ description: "Envelopes given up in a row." }),
  queue_depth: count,
  dead_letters: count,
  next_alarm: time.nullable(),
  budget: json,
  rests_until: time.exactOptional().meta({
    description: "Its ticks wait until then: its time of the day is used up.",
  }),
  storage_bytes: count,
  limits,
  retention: limits.shape.retention,
});

const mountRow: z.ZodType<MountRow> = z.object({
  path: z.string(),
  service: z.string(),
  access: z.enum(ACCESSES),
  type: z.literal("dir").exactOptional(),
  host_path: z.string().exactOptional().meta({ description: "Told to operators alone." }),
  hidden: z.array(z.string()).exactOptional(),
});

const policy = budgetPolicySchema.meta({ description: "Amounts in micro-USD." });

export const AGENT = named<AgentInfo>("Agent", agentInfo);
export const AGENT_DETAILS = named<AgentDetails>(
  "AgentDetails",
  agentInfo.extend({
    config: json,
    mounts: z.array(mountRow),
    budgets: z.record(z.string(), policy).exactOptional(),
  }),
);
export const AGENT_PAGE = named(
  "AgentPage",
  z.object({
    agents: z.array(agentInfo),
    next: z.string().optional().meta({ description: "The `after` of the following page." }),
  }),
);
export const AGENT_MADE = named(
  "AgentMade",
  z.object({
    id: z.string(),
    pubkey: z.string(),
    npub: z.string(),
    status: state,
    urls: z.record(z.string(), z.string()),
    info: agentInfo.extend({
      config: json.optional(),
      mounts: z.array(mountRow).optional(),
      budgets: z.record(z.string(), policy).optional(),
    }),
  }),
);

export const LIMITS = named("Limits", limits);

export const RECEIPT = named<Receipt>(
  "Receipt",
  z.object({
    envelope_id: branded<Receipt["envelope_id"]>("Also where its replies are asked for."),
    disposition: z.enum(["queued", "dead_letter"]),
    queue_depth: count,
    duplicate: z.boolean().meta({
      description: "An envelope of this id was accepted before; it takes effect once.",
    }),
  }),
);

const tickResult = z.object({
  tick_id: branded<TickResult["tick_id"]>("`tick_` and a UUID."),
  envelope_id: branded<TickResult["envelope_id"]>("What was ticked."),
  success: z.boolean(),
  duration_ms: z.number().min(0),
  usage: z.object({
    compute_ms: z.number().min(0),
    storage_reads: count,
    storage_writes: count,
    storage_bytes_written: count,
    messages_sent: count,
    api_calls: count,
  }),
  messages_sent: count,
  events_emitted: count,
  next_alarm: time.optional(),
  error: failure.optional(),
  should_hibernate: z.boolean(),
});
export const TICK_RESULT = named("TickResult", tickResult as unknown as z.ZodType<TickResult>);
export const WAITED = named(
  "Waited",
  z.object({ tick: tickResult, replies: z.array(json) }) as unknown as z.ZodType<Waited>,
);

export const RUNTIME_STATUS = named<RuntimeStatus>(
  "RuntimeStatus",
  z.object({
    started_at: time,
    uptime_ms: count,
    paused: z.boolean(),
    agents: count,
    in_memory: count.meta({ description: "Agents in memory now." }),
    states: z.record(state, count).meta({
      description: "Of those in memory. The others are not looked at; none of them is active.",
    }),
    queued: count.meta({ description: "Envelopes that wait, of agents in memory." }),
    reserved_micro_usd: count.meta({ description: "What runs now may cost at the most." }),
    ticking: count,
    due: count,
    ticks: count,
    envelopes: count,
  }),
);
export const HEALTH = named("Health", z.object({ status: z.literal("ok") }));

const entry = z.object({
  name: z.string(),
  dir: z.boolean(),
  size: count.optional(),
  modified: time.optional(),
});
export const LISTING = named(
  "Listing",
  z.object({
    path: z.string(),
    entries: z.array(entry),
    next: z.string().optional().meta({ description: "The `after` of the following page." }),
  }),
);
/** Any JSON. */
export const JSON_VALUE = named("Json", json);

const mode = z.enum(["read", "write", "append", "call", "watch"]);
export const STAT = named(
  "Stat",
  z.object({
    name: z.string(),
    dir: z.boolean(),
    modes: z.array(mode),
    kind: z.enum(["value", "stream", "call"]),
    size: count.optional(),
    modified: z.number().optional().meta({ description: "Milliseconds since 1970." }),
    version: z.string().optional().meta({ description: "What `ETag` tells." }),
    type: z.string().optional(),
    about: z.string().optional(),
  }) as unknown as z.ZodType<Stat>,
);

const grant = z.object({
  id: z.string(),
  name: z.string(),
  agents: z.union([z.literal("*"), z.array(z.string())]),
  can: z.enum(CANS),
  created_at: time,
  expires_at: time.optional(),
}) as unknown as z.ZodType<TokenGrant>;
export const TOKEN_PAGE = named("TokenPage", z.object({ tokens: z.array(grant) }));
export const TOKEN_MADE = named(
  "TokenMade",
  z.object({ grant, token: z.string().meta({ description: "Told this once." }) }),
);

export const PROBLEM = named(
  "Problem",
  z.looseObject({
    type: z.string().meta({ description: "`urn:agentd:error:` and the code." }),
    title: z.string(),
    status: z.int(),
    code,
    detail: z.string().meta({ description: "Why, and what to do about it." }),
    op: z.string().optional().meta({ description: "The verb that was tried." }),
    path: z.string().optional().meta({ description: "What it was tried on." }),
    instance: z.string().optional().meta({ description: "The path of the request." }),
  }).meta({ description: "RFC 9457, with a code of the closed list." }),
);
