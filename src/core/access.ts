/** What a mount's access lets the agent do; the mount table is the security boundary. */
import type { Access } from "./view.ts";
import type { Principal } from "./runtime.ts";
import type { Can } from "./tokens.ts";

export const ACCESSES: readonly Access[] = [
  "read_only",
  "read_write",
  "sign_only",
  "approve",
  "budgeted",
  "disabled",
];
/** What any service can be mounted at; the others are for services that name them. */
export const PLAIN_ACCESSES: readonly Access[] = ["read_only", "read_write", "approve", "disabled"];
const READS: ReadonlySet<string> = new Set(["read", "watch", "stat", "list"]);
const SIGN_ONLY: ReadonlySet<string> = new Set([
  "/",
  "/pubkey",
  "/npub",
  "/sign",
  "/verify",
  "/encrypt",
  "/decrypt",
]);

/**
 * `path` is the path within the service. At `approve` and `budgeted` everything gets as far as the service: a person's yes is
 * asked for around it, and money by it.
 */
export function allows(access: Access, op: string, path: string): boolean {
  switch (access) {
    case "read_write":
    case "approve":
    case "budgeted":
      return true;
    case "read_only":
      return READS.has(op);
    case "sign_only":
      return SIGN_ONLY.has(path);
    case "disabled":
      return false;
  }
}

/** Whether a principal may know of an agent at all. */
export function concerns({ grant }: Principal, id: string): boolean {
  const agents = grant?.agents ?? "*";
  return agents === "*" || (agents as readonly string[]).includes(id);
}

const SENDS: ReadonlySet<string> = new Set(["call", "write", "append"]);

/** Files by which an agent is asked for something: by a message, or for a model call, which its budget pays or refuses. */
function asks(mount: string, path: string): boolean {
  if (mount === "/inbox") return path === "/";
  return mount === "/compute" && (path === "/new" || /^\/jobs\/[^/]+\/ctl$/.test(path));
}

/** What a scoped token lets its holder do to `path` within the service mounted on `mount`; undefined is no token's limit. */
export function grants(can: Can | undefined, mount: string, op: string, path: string): boolean {
  switch (can) {
    case undefined:
    case "operate":
      return true;
    case "send":
      return READS.has(op) || (SENDS.has(op) && asks(mount, path));
    case "read":
      return READS.has(op);
  }
}
