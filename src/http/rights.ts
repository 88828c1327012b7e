/** What each viewer may do beyond files: a table, in which nothing is allowed by default. What may be done to a file stands in its row. */
import type { Principal } from "../core/runtime.ts";
import type { Viewer } from "../core/view.ts";
import { FileError } from "../fs/error.ts";

export type Deed =
  | "list agents"
  | "use files"
  | "create an agent"
  | "deploy code"
  | "set limits, mounts or budgets"
  | "delete an agent"
  | "see the runtime"
  | "pause or resume the runtime";

const MAY: Readonly<Record<Deed, readonly Viewer[]>> = {
  "list agents": ["operator", "local"],
  "use files": ["operator", "local"],
  "create an agent": ["operator", "local"],
  "deploy code": ["operator"],
  "set limits, mounts or budgets": ["operator"],
  "delete an agent": ["operator"],
  "see the runtime": ["operator", "local"],
  "pause or resume the runtime": ["operator"],
};

/** @throws FileError `permission_denied` */
export function demand({ viewer }: Principal, deed: Deed, path: string): void {
  if (MAY[deed].includes(viewer)) return;
  throw new FileError("permission_denied", deed, path, {
    detail: `only ${MAY[deed].join(" or ")} may ${deed}; send the operator's token`,
  });
}
