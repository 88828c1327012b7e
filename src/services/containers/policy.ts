/** The policy of `/containers`: which images an agent may run, with how much time, memory and money, and whether with a network. */
import { z } from "zod";
import { type ContainerProviderInfo, fullImage } from "../../core/containers.ts";
import type { AgentView } from "../../core/view.ts";
import { type Node, refusal } from "../../fs/tree.ts";
import { globMatches } from "../common/glob.ts";
import {
  costRules,
  listed,
  patterns,
  policyIn,
  type PolicyKind,
  policyNode,
} from "../common/policy.ts";

export const MOUNT = "/containers";
const MAX_CONCURRENT = 1_000;
const MAX_TIME_SECS = 24 * 3_600;
const MAX_MEMORY_MB = 1024 * 1024;
const MAX_FILE_BYTES = 1024 * 1024 * 1024;

const policySchema = z.strictObject({
  allowed_providers: patterns.default(["*"]),
  /** Patterns of images with their tags; none: the provider's default images. */
  allowed_images: patterns.default([]),
  /** Wins over what is allowed. */
  blocked_images: patterns.default([]),
  /** A session has a network if its request wants it too. */
  allow_network: z.boolean().default(false),
  allow_root: z.boolean().default(false),
  max_execution_time_secs: z.int().min(1).max(MAX_TIME_SECS).default(600),
  max_memory_mb: z.int().min(16).max(MAX_MEMORY_MB).default(4096),
  /** Sessions of one agent at a time; others wait. */
  max_concurrent: z.int().min(1).max(MAX_CONCURRENT).default(3),
  ...costRules,
  /** Of clouds, which ask for a credential; an engine of this machine has none. */
  require_api_auth: z.boolean().default(false),
  prefer: z.enum(["local", "cost"]).default("local"),
  require_idempotency: z.boolean().default(false),
  /** Of one file that is written, or kept as an artifact. */
  max_file_size_bytes: z.int().min(1).max(MAX_FILE_BYTES).default(10 * 1024 * 1024),
});
export type ContainerPolicy = z.infer<typeof policySchema>;

const KIND: PolicyKind<ContainerPolicy> = {
  schema: policySchema,
  fields: Object.keys(policySchema.shape),
  setting: "containers.policy",
};

export function policyOf(view: Pick<AgentView, "setting">): ContainerPolicy {
  return policyIn(view, KIND);
}

/** `policy`: agents read it, operators change it. */
export function policyFile(view: AgentView, changed: (policy: ContainerPolicy) => void): Node {
  return policyNode(view, KIND, changed);
}

/** Why the policy forbids an image, as a sentence; undefined where it does not. */
export function forbids(
  policy: ContainerPolicy,
  { id, default_images }: ContainerProviderInfo,
  image: string,
): string | undefined {
  const full = fullImage(image);
  const covers = (pattern: string) => globMatches(pattern, full) || globMatches(pattern, image);
  const blocked = policy.blocked_images.find(covers);
  if (blocked !== undefined) {
    return `${image} is blocked: blocked_images has ${JSON.stringify(blocked)}`;
  }
  if (policy.allowed_images.length > 0) {
    if (policy.allowed_images.some(covers)) return undefined;
    return `${image} is not among the allowed_images (${listed(policy.allowed_images)})`;
  }
  if (default_images.some((name) => fullImage(name) === full)) return undefined;
  return `${image} is not among the default images of ${id} (${listed(default_images)}), and ` +
    "allowed_images names no other";
}

/** @throws FileError `permission_denied` */
export function mustAllow(isAllowed: boolean, why: string): void {
  if (isAllowed) return;
  throw refusal("permission_denied", `${why}; an operator changes it in ${MOUNT}/policy`);
}
