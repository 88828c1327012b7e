/** What an operator decides about an agent that is there already: its name, config, limits, mounts and budgets; every change is recorded and holds at once. */
import { FileError, hasCode } from "../fs/error.ts";
import type { AgentChange } from "./runtime.ts";
import type { AgentRecord } from "./record.ts";
import type { Json } from "./envelope.ts";
import { exportOf, type Live } from "./live.ts";
import type { Access, MountRow, ServiceTable } from "./view.ts";
import type { DirectoryMount } from "./provider.ts";
import { presetBudgets } from "./autonomy.ts";
import type { BudgetPolicy, Budgets } from "./budget.ts";
import { checkedBudgets, mergedBudgets } from "./budgets.ts";
import { checkedLimits } from "./limits.ts";
import { checkedTable, mergedMounts, mountRows } from "./mounts.ts";
import { commitTurn } from "./turn.ts";
import { digest, encodeJson } from "./code.ts";
import { isoTime } from "./id.ts";
import { key } from "./keys.ts";

/** Characters of an agent's name. */
export const MAX_NAME = 200;
/** What the names of settings begin with that open the host to an agent. */
export const HOST_SETTING = "host.";
const SETTING = /^[a-z][a-z0-9._-]{0,63}$/;
const MAX_SETTING_BYTES = 64 * 1024;
/** A larger config or setting is told in the trajectory by its digest. */
const MAX_TOLD_CHARS = 16 * 1024;
/** How often a change is made again because a tick's commit came before it. */
const MAX_RUNS = 100;

/** What a change was, as the trajectory tells it. */
export interface RecordEvent {
  readonly type: string;
  readonly before: unknown;
  readonly after: unknown;
}

/** @throws FileError `invalid_request` */
export function checkedName(name: string): string {
  if (name.length >= 1 && name.length <= MAX_NAME) return name;
  throw new FileError("invalid_request", "set", "name", {
    detail: `a name has 1 to ${MAX_NAME} characters`,
  });
}

/** @throws FileError `invalid_request`; `too_large` for a config that does not fit into a row */
export async function configure(
  live: Live,
  services: ServiceTable,
  change: AgentChange,
  by: string,
): Promise<void> {
  const limits = change.limits;
  const mounts = change.mounts && await checkedTable(change.mounts, {
    services,
    directories: live.directories,
    known: live.record.mounts,
  });
  const budgets = change.budgets && checkedBudgets(services, change.budgets);
  const name = change.name === undefined ? undefined : checkedName(change.name);
  await changeRecord(live, by, (record) => {
    const next: AgentRecord = {
      ...record,
      ...(name === undefined ? {} : { name }),
      ...(change.config === undefined ? {} : { config: change.config }),
      ...(limits === undefined ? {} : { limits: checkedLimits(limits, record.limits) }),
      ...(mounts === undefined ? {} : { mounts: mergedMounts(record.mounts, mounts, services) }),
      ...(budgets === undefined ? {} : { budgets: withPolicies(record, budgets) }),
    };
    const changed = (["name", "config", "limits", "mounts", "budgets"] as const).filter((field) =>
      JSON.stringify(next[field]) !== JSON.stringify(record[field])
    );
    if (changed.length === 0) return undefined;
    const told = (of: AgentRecord) =>
      Object.fromEntries(changed.map((field) => [field, toldOf(services, of, field)]));
    return { next, event: { type: "configure", before: told(record), after: told(next) } };
  });
}

/**
 * Another mount table: what it leaves out is no longer mounted.
 * @param isOperator it may have directories that are not mounted already
 * @throws FileError `invalid_request`, `permission_denied`
 */
export async function setMounts(
  live: Live,
  services: ServiceTable,
  table: readonly MountRow[],
  by: string,
  isOperator: boolean,
): Promise<void> {
  if (!isOperator) { for (const row of table) mustBeKnown(row, live.record); }
  const wanted = await checkedTable(Object.fromEntries(table.map(mountOf)), {
    services,
    directories: live.directories,
    known: live.record.mounts,
  });
  const none = Object.fromEntries(Object.keys(services).map((path) => [path, null]));
  const mounts = mergedMounts(none, wanted, services);
  await changeRecord(live, by, (record) => {
    const next = { ...record, mounts };
    const [before, after] = [mountRows(services, record), mountRows(services, next)];
    return { next, event: { type: "mounts", before, after } };
  });
}

/**
 * What an agent may spend at a mount, or at all (`/`); null takes the policy away.
 * @throws FileError `invalid_request`
 */
export async function setBudget(
  live: Live,
  services: ServiceTable,
  mount: string,
  policy: BudgetPolicy | null,
  by: string,
): Promise<void> {
  const change = checkedBudgets(services, { [mount]: policy });
  await changeRecord(live, by, (record) => {
    const budgets = withPolicies(record, change);
    const [before, after] = [record.budgets, budgets].map((of) => policyAt(of, mount));
    if (JSON.stringify(before) === JSON.stringify(after)) return undefined;
    return {
      next: { ...record, budgets },
      event: { type: "budget", before: { [mount]: before }, after: { [mount]: after } },
    };
  });
}

function withPolicies(
  { budgets, autonomy }: AgentRecord,
  change: ReturnType<typeof checkedBudgets>,
): Budgets {
  return presetBudgets(mergedBudgets(budgets, change), autonomy);
}

function policyAt(budgets: Budgets | undefined, mount: string): BudgetPolicy | null {
  return budgets && Object.hasOwn(budgets, mount) ? budgets[mount]! : null;
}

/**
 * A small value that a service keeps of the agent; null takes it away.
 * @throws FileError `invalid_request` for a name that is none, `too_large`
 */
export async function setSetting(
  live: Live,
  name: string,
  value: Json | null,
  by: string,
): Promise<void> {
  mustFit(name, value);
  await changeRecord(live, by, (record) => {
    const { [name]: before = null, ...others } = record.settings ?? {};
    if (JSON.stringify(before) === JSON.stringify(value)) return undefined;
    const settings = value === null ? others : { ...others, [name]: value };
    return {
      next: { ...record, settings },
      event: {
        type: "setting",
        before: { [name]: toldJson(before) },
        after: { [name]: toldJson(value) },
      },
    };
  });
}

function mustFit(name: string, value: Json | null): void {
  if (!SETTING.test(name)) {
    throw new FileError("invalid_request", "set", name.slice(0, 140), {
      detail: 'a setting\'s name is 1 to 64 of a-z, 0-9, ".", _ and -, and begins with a letter',
    });
  }
  const bytes = encodeJson(value).length;
  if (bytes <= MAX_SETTING_BYTES) return;
  throw new FileError("too_large", "set", name, {
    detail: `a setting has at most ${MAX_SETTING_BYTES} bytes, this one ${bytes}`,
    extra: { limit_bytes: MAX_SETTING_BYTES, asked_bytes: bytes },
  });
}

const WIDTH: Readonly<Record<Access, number>> = {
  disabled: 0,
  sign_only: 0,
  read_only: 1,
  approve: 2,
  budgeted: 3,
  read_write: 3,
};

/** To open a directory of the host to an agent is more than to operate the agent. */
function mustBeKnown(row: MountRow, { mounts }: AgentRecord): void {
  if (row.type === undefined) return;
  const known = mounts[row.path];
  const is = (of: unknown) => JSON.stringify(of ?? null);
  if (
    known && typeof known === "object" && known.path === row.host_path &&
    is(known.hidden) === is(row.hidden) && WIDTH[row.access] <= WIDTH[known.access]
  ) return;
  throw new FileError("permission_denied", "mount", row.path, {
    detail:
      "only the operator may mount a directory of the host, or let an agent go further in one",
  });
}

/** A row of the table as a record keeps it. */
function mountOf(row: MountRow): [string, Access | DirectoryMount] {
  const { path, type, access, host_path, hidden } = row;
  if (type === undefined) return [path, access];
  // What is no fitting access is refused where the mount is checked.
  const mount = { type, path: host_path ?? "", access } as DirectoryMount;
  return [path, hidden === undefined ? mount : { ...mount, hidden }];
}

function toldOf(services: ServiceTable, record: AgentRecord, field: keyof AgentChange): unknown {
  if (field === "mounts") return mountRows(services, record);
  if (field === "budgets") return record.budgets ?? {};
  if (field !== "config") return record[field];
  return toldJson(record.config);
}

function toldJson(value: Json): Json {
  const text = JSON.stringify(value);
  if (text.length <= MAX_TOLD_CHARS) return value;
  return { digest: digest(text), chars: text.length };
}

/**
 * Another record of the agent, in one commit with the event that tells of it. `make` answers undefined where there is nothing to change; it is
 * asked again when a tick's commit came before this one.
 */
export async function changeRecord(
  live: Live,
  by: string,
  make: (record: AgentRecord) => { next: AgentRecord; event: RecordEvent } | undefined,
): Promise<void> {
  for (let runs = 1;; runs++) {
    await exportOf(live);
    const made = make(live.record);
    if (!made) return;
    const { type, before, after } = made.event;
    const timestamp = isoTime(live.backend.now());
    const event = live.trajectory.add({ type, timestamp, by, before, after });
    try {
      await commitTurn(live, { ...live.turn, trajectory: live.trajectory.nextSeq }, {
        // In memory the record follows the turn a moment later: one that is read in between must not be written back.
        check: [{ key: key.agent, value: encodeJson(live.record) }],
        remove: [],
        put: [{ key: key.agent, value: encodeJson(made.next) }, live.trajectory.row(event)],
      });
    } catch (error) {
      if (!hasCode(error, "conflict") || runs >= MAX_RUNS) throw error;
      continue;
    }
    live.record = made.next;
    for (const listener of [...live.tableListeners]) listener();
    live.trajectory.announce(event);
    live.trace.add({ type: "lifecycle", state: type, by });
    return;
  }
}
