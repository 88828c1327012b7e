/** What each caller may do beyond files: a table, in which nothing is allowed by default. What may be done to a file stands in its row. */
import type { Principal } from "../core/runtime.ts";
import type { Viewer } from "../core/view.ts";
import { FileError } from "../fs/error.ts";

export type Deed =
  | "list agents"
  | "use files"
  | "see the runtime"
  | "create an agent"
  | "deploy code"
  | "set limits, mounts or budgets"
  | "configure an agent"
  | "delete an agent"
  | "pause or resume the runtime"
  | "make or revoke tokens"
  | "see or change hooks"
  | "see or change secrets"
  | "see or pull images"
  | "export or import agents"
  | "back up the database";

/** `token`: whoever holds a scoped one, `token of all`: one for all agents. What it may do to files is its grant's to say. */
type Caller = Viewer | "token" | "token of all";

const MAY: Readonly<Record<Deed, readonly Caller[]>> = {
  "list agents": ["operator", "local", "token", "token of all"],
  "use files": ["operator", "local", "token", "token of all"],
  "see the runtime": ["operator", "local", "token of all"],
  "create an agent": ["operator", "local"],
  "deploy code": ["operator"],
  "set limits, mounts or budgets": ["operator"],
  "configure an agent": ["operator"],
  "delete an agent": ["operator"],
  "pause or resume the runtime": ["operator"],
  "make or revoke tokens": ["operator"],
  "see or change hooks": ["operator"],
  "see or change secrets": ["operator"],
  "see or pull images": ["operator"],
  "export or import agents": ["operator"],
  "back up the database": ["operator"],
};

export function mayDo(deed: Deed, caller: Caller): boolean {
  return MAY[deed].includes(caller);
}

/** @throws FileError `permission_denied` */
export function demand(principal: Principal, deed: Deed, path: string): void {
  if (mayDo(deed, callerOf(principal))) return;
  const who = MAY[deed].filter((may) => !may.startsWith("token")).join(" or ");
  throw new FileError("permission_denied", deed, path, {
    detail: `only ${who} may ${deed}; send the operator's token`,
  });
}

function callerOf({ viewer, grant }: Principal): Caller {
  if (!grant) return viewer;
  return grant.agents === "*" ? "token of all" : "token";
}
