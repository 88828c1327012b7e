/** The policy of `/compute`: which providers and models an agent may use, at what cost, and how one is chosen. */
import { z } from "zod";
import { DEFAULT_TIMEOUT_MS, MAX_TIMEOUT_MS } from "../../core/compute.ts";
import type { AgentView } from "../../core/view.ts";
import type { Node } from "../../fs/tree.ts";
import { globMatches } from "../common/glob.ts";
import {
  costRules,
  listed,
  patterns,
  policyIn,
  type PolicyKind,
  policyNode,
} from "../common/policy.ts";

const MAX_CONCURRENT = 1_000;
const DEFAULT_CONCURRENT = 4;
const MAX_NAME = 512;

/** Patterns have `*` and `?`; those of models match the model's name, alone or as `<provider>/<model>`. */
const policySchema = z.strictObject({
  allowed_providers: patterns.default(["*"]),
  allowed_models: patterns.default(["*"]),
  /** Wins over what is allowed. */
  blocked_models: patterns.default([]),
  ...costRules,
  default_timeout_ms: z.int().positive().max(MAX_TIMEOUT_MS).default(DEFAULT_TIMEOUT_MS),
  prefer: z.enum(["cost", "latency", "quality", "balanced"]).default("balanced"),
  /** A provider, or `<provider>/<model>`. */
  fallback_provider: z.string().min(1).max(MAX_NAME).exactOptional(),
  require_idempotency: z.boolean().default(false),
  /** Jobs of one agent that are asked at a time; others wait. */
  max_concurrent: z.int().min(1).max(MAX_CONCURRENT).default(DEFAULT_CONCURRENT),
});
export type ComputePolicy = z.infer<typeof policySchema>;

const KIND: PolicyKind<ComputePolicy> = {
  schema: policySchema,
  fields: Object.keys(policySchema.shape),
  setting: "compute.policy",
};

export function policyOf(view: Pick<AgentView, "setting">): ComputePolicy {
  return policyIn(view, KIND);
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
      listed(policy.allowed_providers)
    })`;
  }
  if (policy.allowed_models.some(covers)) return undefined;
  return `${full} is not among the allowed_models (${listed(policy.allowed_models)})`;
}

const quoted = (text: string) => JSON.stringify(text);

/** `policy`: agents read it, operators change it. */
export function policyFile(view: AgentView, changed: (policy: ComputePolicy) => void): Node {
  return policyNode(view, KIND, changed);
}
