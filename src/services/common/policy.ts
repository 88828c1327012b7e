/** `policy`: what a mount may be used for. Agents read it, operators change it; it is kept with the agent's record. */
import { z, type ZodType } from "zod";
import { shortDigest } from "../../core/code.ts";
import type { Json } from "../../core/envelope.ts";
import type { AgentView } from "../../core/view.ts";
import { file, mustMatch, type Node, refusal } from "../../fs/tree.ts";
import { settingChanges } from "./changes.ts";
import { fitting, JSON_TYPE, jsonOf } from "./json.ts";

const MAX_POLICY_BYTES = 256 * 1024;

/** The policies of one mount. */
export interface PolicyKind<T> {
  readonly schema: ZodType<T>;
  /** Every one has a default, or may be absent. */
  readonly fields: readonly string[];
  /** Under this name it is kept with the agent. */
  readonly setting: string;
}

export function policyIn<T>(
  view: Pick<AgentView, "setting">,
  { schema, setting }: PolicyKind<T>,
): T {
  return fitting(schema, view.setting(setting) ?? {});
}

/** What a write leaves out stays, and `null` gives a field its default. */
export function policyNode<T extends object>(
  view: AgentView,
  kind: PolicyKind<T>,
  changed: (policy: T) => void,
): Node {
  const text = () => JSON.stringify(policyIn(view, kind));
  return file({
    type: JSON_TYPE,
    about: `what may be used: ${kind.fields.join(", ")}; what a write leaves ` +
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
      const merged = withoutNulls({ ...policyIn(view, kind), ...given });
      const policy = fitting(kind.schema, merged);
      await view.setSetting(kind.setting, policy as unknown as Json);
      changed(policy);
    },
    watch: ({ signal }) => settingChanges(view.rows, text, signal),
  });
}

function withoutNulls(fields: object): object {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));
}

const MAX_TOLD = 10;

/** A list of names as a refusal says it. */
export function listed(names: readonly string[]): string {
  if (names.length === 0) return "none";
  const more = names.length > MAX_TOLD ? ` and ${names.length - MAX_TOLD} more` : "";
  return names.slice(0, MAX_TOLD).join(", ") + more;
}

const MAX_PATTERNS = 256;
const MAX_PATTERN = 256;

/** Patterns with `*` and `?`. */
export const patterns = z.array(z.string().min(1).max(MAX_PATTERN)).max(MAX_PATTERNS);
const amount = z.int().nonnegative();

/** What every policy of a mount that sells may say of money. */
export const costRules = {
  /** Limits beside the budget's: whichever is reached first holds. */
  max_cost_micro_usd_per_tick: amount.exactOptional(),
  max_cost_micro_usd_per_day: amount.exactOptional(),
  /** For requests that say none. */
  default_max_cost_micro_usd: amount.exactOptional(),
  require_max_cost: z.boolean().default(false),
} as const;
