/** An agent's mount table: what services there are, at which access; every change is recorded and holds at once. */
import { FileError } from "../fs/error.ts";
import type { Access, MountRow, ServiceTable } from "./view.ts";
import type { AgentRecord } from "./record.ts";
import type { Live } from "./live.ts";
import { ACCESSES } from "./access.ts";
import { commitTurn } from "./turn.ts";
import { encodeJson } from "./code.ts";
import { isoTime } from "./id.ts";
import { key } from "./keys.ts";

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

/** Changes the table and says so in the trajectory. */
export async function setMounts(
  live: Live,
  services: ServiceTable,
  table: readonly MountRow[],
  by: string,
): Promise<void> {
  const wanted = new Map(table.map((row) => [row.path, row.access]));
  checkedMounts(services, Object.fromEntries(wanted));
  const mounts: Record<string, Access | null> = {};
  for (const path of Object.keys(services)) mounts[path] = wanted.get(path) ?? null;
  const record: AgentRecord = { ...live.record, mounts };
  const event = live.trajectory.add({
    type: "mounts",
    timestamp: isoTime(live.backend.now()),
    by,
    before: mountRows(services, live.record),
    after: mountRows(services, record),
  });
  await commitTurn(live, { ...live.turn, trajectory: live.trajectory.nextSeq }, {
    check: [],
    remove: [],
    put: [{ key: key.agent, value: encodeJson(record) }, live.trajectory.row(event)],
  });
  live.record = record;
  for (const listener of [...live.tableListeners]) listener();
  live.trajectory.announce(event);
  live.trace.add({ type: "lifecycle", state: "mounts", by });
}
