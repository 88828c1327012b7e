/** The policy of `/http`: where an agent may reach, how, and how often. By default nowhere. */
import { z } from "zod";
import { shortDigest } from "../../core/code.ts";
import type { Json } from "../../core/envelope.ts";
import { type Endpoint, hostMatches, hostPattern, MAX_PATTERN } from "../../core/hosts.ts";
import { HOST_SETTING } from "../../core/configure.ts";
import type { HttpProvider } from "../../core/net.ts";
import type { AgentView } from "../../core/view.ts";
import { file, mustMatch, type Node, refusal } from "../../fs/tree.ts";
import { settingChanges } from "../common/changes.ts";
import { fitting, JSON_TYPE, jsonOf } from "../common/json.ts";

export const MOUNT = "/http";
/** Under this name the policy is kept with the agent. */
const SETTING = "http.policy";
/** And what of it opens the host, which no file from elsewhere brings along. */
const ADDRESSES = HOST_SETTING + "addresses";
export const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] as const;
export type Method = typeof METHODS[number];
export const MAX_BYTES = 8 * 1024 * 1024;
const DEFAULT_BYTES = 1024 * 1024;
const MAX_ENTRIES = 256;
const MAX_COUNT = 1_000_000;

const policySchema = z.strictObject({
  /** `api.example.com`, `*.example.com`, with a port. */
  allowed_hosts: z.array(z.string().max(MAX_PATTERN)).max(MAX_ENTRIES).default([]),
  methods: z.array(z.enum(METHODS)).default(["GET", "HEAD"]),
  per_minute: z.int().min(0).max(MAX_COUNT).default(60),
  per_day: z.int().min(0).max(MAX_COUNT).default(1_000),
  /** Of an answer's body. */
  max_bytes: z.int().min(1).max(MAX_BYTES).default(DEFAULT_BYTES),
  /** Addresses and ranges that may be reached although they are private. */
  private_addresses: z.array(z.string().max(64)).max(MAX_ENTRIES).default([]),
});
export type HttpPolicy = z.infer<typeof policySchema>;

export function policyOf(view: Pick<AgentView, "setting">): HttpPolicy {
  const { private_addresses: _, ...kept } = Object(view.setting(SETTING) ?? {});
  const private_addresses = view.setting(ADDRESSES) ?? [];
  return fitting(policySchema, { ...kept, private_addresses });
}

/** A policy as its file tells it. */
export function policyIn(text: string): HttpPolicy {
  return fitting(policySchema, JSON.parse(text));
}

/** @throws FileError `permission_denied`, which says what would have to be in the policy */
export function mustAllow(policy: HttpPolicy, method: string, to: Endpoint): void {
  if (!hostMatches(policy.allowed_hosts, to)) {
    const own = to.port === (to.scheme === "https" ? 443 : 80);
    const place = (to.host.includes(":") ? `[${to.host}]` : to.host) + (own ? "" : `:${to.port}`);
    throw refusal(
      "permission_denied",
      `${place} is not among the allowed_hosts of /http/policy (${told(policy.allowed_hosts)}); ` +
        changeBy("allowed_hosts", [...policy.allowed_hosts, place]),
    );
  }
  if (!policy.methods.some((allowed) => allowed === method)) {
    throw refusal(
      "permission_denied",
      `${method} is not among the methods of /http/policy (${told(policy.methods)}); ` +
        changeBy("methods", [...policy.methods, method]),
    );
  }
}

const MAX_TOLD = 10;

/** What an operator would write; of a long list not all, and then not as a command that would lose the rest. */
function changeBy(field: "allowed_hosts" | "methods", list: readonly string[]): string {
  if (list.length > MAX_TOLD) return `an operator adds it to ${field}`;
  const change = JSON.stringify({ [field]: list });
  return `an operator allows it by: agentd write <agent>/http/policy '${change}'`;
}

function told(list: readonly string[]): string {
  if (list.length === 0) return "none";
  const more = list.length > MAX_TOLD ? ` and ${list.length - MAX_TOLD} more` : "";
  return list.slice(0, MAX_TOLD).join(", ") + more;
}

/** `policy`: agents read it, operators change it. */
export function policyFile(view: AgentView, provider: HttpProvider): Node {
  const text = () => JSON.stringify(policyOf(view));
  return file({
    type: JSON_TYPE,
    about: `what may be reached: ${Object.keys(policySchema.shape).join(", ")}; what a write ` +
      "leaves out stays as it is, null gives a field its default",
    only: { write: ["operator"] },
    stat: () => ({ size: text().length, version: shortDigest(text()) }),
    read: text,
    async write(data, { match }) {
      mustMatch(match, shortDigest(text()));
      const given = jsonOf(data, "a policy is a JSON object");
      if (typeof given !== "object" || given === null || Array.isArray(given)) {
        throw refusal("invalid_request", "a policy is a JSON object");
      }
      const fields = Object.entries({ ...policyOf(view), ...given });
      const policy = fitting(
        policySchema,
        Object.fromEntries(fields.filter(([, value]) => value !== null)),
      );
      const kept: HttpPolicy = {
        ...policy,
        allowed_hosts: [...new Set(policy.allowed_hosts.map(hostPattern))],
        private_addresses: [...new Set(policy.private_addresses.map(provider.range))],
      };
      mustNotOpenHost(view, kept);
      const { private_addresses, ...rest } = kept;
      await view.setSetting(ADDRESSES, private_addresses.length === 0 ? null : private_addresses);
      await view.setSetting(SETTING, rest as unknown as Json);
    },
    watch: ({ signal }) => settingChanges(view.rows, text, signal),
  });
}

/** To operate an agent is not to open the host's own network to it. @throws FileError `permission_denied` */
function mustNotOpenHost(view: AgentView, { private_addresses }: HttpPolicy): void {
  if (view.isOperator) return;
  const { private_addresses: before } = policyOf(view);
  const added = private_addresses.find((range) => !before.includes(range));
  if (added === undefined) return;
  throw refusal(
    "permission_denied",
    `private_addresses: ${added} is added by whoever holds the runtime's token`,
  );
}
