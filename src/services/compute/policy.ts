/** The policy of `/compute`: which providers and models an agent may use, at what cost, and how one is chosen. */
import { z } from "zod";
import { DEFAULT_TIMEOUT_MS, MAX_TIMEOUT_MS } from "../../core/compute.ts";
import { shortDigest } from "../../core/code.ts";
import type { Json } from "../../core/envelope.ts";
import type { AgentView } from "../../core/view.ts";
import { file, mustMatch, type Node, refusal } from "../../fs/tree.ts";
import { settingChanges } from "../common/changes.ts";
import { fitting, JSON_TYPE, jsonOf } from "../common/json.ts";
import { globMatches } from "./glob.ts";

/** Under this name the policy is kept with the agent. */
const SETTING = "compute.policy";
const MAX_PATTERNS = 256;
const MAX_PATTERN = 256;
const MAX_CONCURRENT = 1_000;
const DEFAULT_CONCURRENT = 4;
const MAX_POLICY_BYTES = 256 * 1024;

const patterns = z.array(z.string().min(1).max(MAX_PATTERN)).max(MAX_PATTERNS);
const amount = z.int().nonnegative();

/** Patterns have `*` and `?`; those of models match the model's name, alone or as `<provider>/<model>`. */
const policySchema = z.strictObject({
  allowed_providers: patterns.default(["*"]),
  allowed_models: patterns.default(["*"]),
  /** Wins over what is allowed. */
  blocked_models: patterns.default([]),
  /** Limits beside the budget's: whichever is reached first holds. */
  max_cost_micro_usd_per_tick: amount.exactOptional(),
  max_cost_micro_usd_per_day: amount.exactOptional(),
  /** For requests that say none. */
  default_max_cost_micro_usd: amount.exactOptional(),
  require_max_cost: z.boolean().default(false),
  default_timeout_ms: z.int().positive().max(MAX_TIMEOUT_MS).default(DEFAULT_TIMEOUT_MS),
  prefer: z.enum(["cost", "latency", "quality", "balanced"]).default("balanced"),
  /** A provider, or `<provider>/<model>`. */
  fallback_provider: z.string().min(1).max(2 * MAX_PATTERN).exactOptional(),
  require_idempotency: z.boolean().default(false),
  /** Jobs of one agent that are asked at a time; others wait. */
  max_concurrent: z.int().min(1).max(MAX_CONCURRENT).default(DEFAULT_CONCURRENT),
});
export type ComputePolicy = z.infer<typeof policySchema>;

export const DEFAULT_POLICY: ComputePolicy = policySchema.parse({});

export function policyOf(view: Pick<AgentView, "setting">): ComputePolicy {
  const kept = view.setting(SETTING);
  return kept === undefined ? DEFAULT_POLICY : fitting(policySchema, kept);
}

/** Why the policy forbids a model, as a sentence; undefined where it does not. `provider` undefined: whoever has it. */
export function forbids(
  policy: ComputePolicy,
  provider: string | undefined,
  model: string,
): string | undefined {
  const full = provider === undefined ? model : `${provider}/${model}`;
  const covers = (pattern: string) => globMatches(pattern, model) || globMatches(pattern, full);
  const blocked = policy.blocked_models.find(covers);
  if (blocked !== undefined) return `${full} is blocked: blocked_models has ${quoted(blocked)}`;
  if (
    provider !== undefined && !policy.allowed_providers.some((at) => globMatches(at, provider))
  ) {
    return `the provider ${provider} is not among the allowed_providers (${
      told(policy.allowed_providers)
    })`;
  }
  if (policy.allowed_models.some(covers)) return undefined;
  return `${full} is not among the allowed_models (${told(policy.allowed_models)})`;
}

const quoted = (text: string) => JSON.stringify(text);
const MAX_TOLD = 10;

function told(list: readonly string[]): string {
  if (list.length === 0) return "none";
  const more = list.length > MAX_TOLD ? ` and ${list.length - MAX_TOLD} more` : "";
  return list.slice(0, MAX_TOLD).join(", ") + more;
}

/** `policy`: agents read it, operators change it; what a write leaves out stays, and `null` gives a field its default. */
export function policyFile(view: AgentView, changed: (policy: ComputePolicy) => void): Node {
  const text = () => JSON.stringify(policyOf(view));
  return file({
    type: JSON_TYPE,
    about: `what may be used: ${Object.keys(policySchema.shape).join(", ")}; what a write leaves ` +
      "out stays as it is, null gives a field its default",
    only: { write: ["operator"] },
    maxBytes: MAX_POLICY_BYTES,
    stat: () => ({ size: text().length, version: shortDigest(text()) }),
    read: text,
    async write(data, { match }) {
      mustMatch(match, shortDigest(text()));
      const given = jsonOf(data, "a policy is a JSON object");
      if (typeof given !== "object" || given === null || Array.isArray(given)) {
        throw refusal("invalid_request", "a policy is a JSON object");
      }
      const policy = fitting(policySchema, withoutNulls({ ...policyOf(view), ...given }));
      await view.setSetting(SETTING, policy as unknown as Json);
      changed(policy);
    },
    watch: ({ signal }) => settingChanges(view.rows, text, signal),
  });
}

function withoutNulls(fields: object): object {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));
}
