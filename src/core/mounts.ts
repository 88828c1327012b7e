/** An agent's mount table: what services there are, at which access. */
import { FileError } from "../fs/error.ts";
import type { Access, MountRow, ServiceTable } from "./view.ts";
import type { AgentRecord } from "./record.ts";
import { ACCESSES } from "./access.ts";

/** The mount table of an agent: what services there are, at the access its record says or their own. */
export function mountRows(services: ServiceTable, record: AgentRecord): MountRow[] {
  return Object.entries(services).flatMap(([path, { access }]) => {
    const own = Object.hasOwn(record.mounts, path) ? record.mounts[path] : access;
    return own === null || own === undefined ? [] : [{ path, service: path, access: own }];
  });
}

/** @throws FileError `invalid_request` for an access or a mount that there is not */
export function checkedMounts(
  services: ServiceTable,
  mounts: Readonly<Record<string, Access | null>>,
): Record<string, Access | null> {
  for (const [path, access] of Object.entries(mounts)) {
    if (!Object.hasOwn(services, path)) {
      throw new FileError("invalid_request", "mount", path, {
        detail: `there is no such service; there are ${Object.keys(services).join(" ")}`,
      });
    }
    if (access !== null && !ACCESSES.includes(access)) {
      throw new FileError("invalid_request", "mount", path, {
        detail: `access is one of ${ACCESSES.join(", ")}, not ${JSON.stringify(access)}`,
      });
    }
    if (access === "sign_only" && path !== "/identity") {
      throw new FileError("invalid_request", "mount", path, {
        detail: "sign_only is an access of /identity",
      });
    }
  }
  return { ...mounts };
}
