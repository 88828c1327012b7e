/** All that can be told of a runtime that has recovered, read once, so that the laws are plain questions about it. */
import type { Reservation, UsageReport } from "../../src/core/budget.ts";
import type { Row } from "../../src/core/storage.ts";
import { REGISTRY, RUNTIME } from "../../src/core/keys.ts";
import type { FileService, StreamEvent } from "../../src/fs/file.ts";
import { codeOf } from "../../src/fs/error.ts";
import { entries, readJson, readText } from "../../src/fs/use.ts";
import type { AgentInfo } from "../../src/core/runtime.ts";
import { type DeadSummary, linesOf, type Scene } from "../ticks/scene.ts";
import type { TickSubject } from "../ticks/subject.ts";

/** A send that was answered with a receipt. */
export interface Accepted {
  readonly to: string;
  readonly from: string;
  readonly id: string;
}

/** A record of `/logs/trajectory`. */
export interface TickRecord extends StreamEvent {
  readonly envelope_id: string;
  readonly outcome: string;
  readonly trigger: {
    readonly type: string;
    /** Absent where the record was too large to tell all of it. */
    readonly meta?: { readonly seq: number };
    readonly alarm_id?: string;
    readonly scheduled_for?: number;
    readonly fired_at?: number;
    readonly event?: string;
    readonly data?: { readonly [name: string]: unknown };
  };
  readonly messages: readonly { readonly to: string; readonly id: string }[];
}

export interface AgentSight {
  readonly info: AgentInfo;
  /** How many ticks it believes to have committed, as its state and as its KV tell it. */
  readonly tallies: readonly [state: number, kv: number];
  /** Records of the trajectory, all kinds. */
  readonly trajectory: readonly StreamEvent[];
  /** Of those, the ticks that committed. */
  readonly committed: readonly TickRecord[];
  readonly outbox: readonly StreamEvent[];
  readonly waiting: readonly string[];
  readonly letters: readonly DeadSummary[];
  readonly lines: readonly Reservation[];
  readonly usage: UsageReport;
  readonly rows: readonly Row[];
}

export interface Recovered {
  readonly agents: ReadonlyMap<string, AgentSight>;
  readonly accepted: readonly Accepted[];
  /** See `Workload.aside`. */
  readonly aside: ReadonlySet<string>;
  /** Owners of rows, the runtime's own apart. */
  readonly owners: readonly string[];
  readonly registry: readonly Row[];
  /** Rows that another crash, at rest, has changed. */
  readonly changed: readonly string[];
}

const MAX_OWNERS = 1_000;

/** Looks at everything, crashes once more, and looks at the rows again. */
export async function look(
  subject: TickSubject,
  s: Scene,
  accepted: readonly Accepted[],
  aside: readonly string[] = [],
): Promise<Recovered> {
  const infos = await s.answer(() => s.runtime.list({}));
  const sights = await s.answer(() => Promise.all(infos.map((info) => lookAt(subject, s, info))));
  const registry = await subject.backend.storage(REGISTRY).list({ prefix: "" });
  const owners = await subject.backend.owners({ limit: MAX_OWNERS });
  const before = await rowsOf(subject, owners);
  await s.restart("crash");
  await s.quiet();
  const after = await rowsOf(subject, await subject.backend.owners({ limit: MAX_OWNERS }));
  return {
    agents: new Map(sights.map((sight) => [sight.info.id, sight])),
    accepted,
    aside: new Set(aside),
    owners: owners.filter((owner) => !owner.startsWith("@")),
    registry,
    changed: differences(before, after),
  };
}

async function lookAt(subject: TickSubject, s: Scene, info: AgentInfo): Promise<AgentSight> {
  const files = await s.at(info.id).files();
  const [state, kv, trajectory, outbox, inbox, letters, ledger, usage, rows] = await Promise.all([
    readJson<{ tally?: number }>(files, "/state"),
    orNone(() => readText(files, "/kv/tally")),
    readText(files, "/logs/trajectory"),
    readText(files, "/outbox"),
    namesOf(files, "/inbox"),
    readJson<DeadSummary[]>(files, "/deadletter/list"),
    readText(files, "/budget/ledger"),
    readJson<UsageReport>(files, "/budget/usage"),
    subject.backend.storage(info.id).list({ prefix: "" }),
  ]);
  const records = linesOf(trajectory);
  return {
    info,
    tallies: [state.tally ?? 0, Number(kv)],
    trajectory: records,
    committed: records.filter((record): record is TickRecord =>
      record.type === "tick" && record.outcome === "committed" && isTaken(record)
    ),
    outbox: linesOf(outbox),
    waiting: inbox.flatMap((name) => WAITING.exec(name)?.[1] ?? []),
    letters,
    lines: linesOf(ledger) as unknown as Reservation[],
    usage,
    rows,
  };
}

/** Hooks such as `onSleep` are told as ticks too, of envelopes that nobody accepted. */
function isTaken(record: StreamEvent): boolean {
  return (record as unknown as TickRecord).trigger.meta?.seq !== 0;
}

/** `<n>-<envelope id>.json` */
const WAITING = /^\d{12}-(.+)\.json$/;

async function namesOf(files: FileService, path: string): Promise<string[]> {
  return (await Array.fromAsync(entries(files, path))).map(({ name }) => name);
}

async function orNone(read: () => Promise<string>): Promise<string> {
  try {
    return await read();
  } catch (error) {
    if (codeOf(error) === "not_found") return "0";
    throw error;
  }
}

type Rows = ReadonlyMap<string, Uint8Array>;

async function rowsOf(subject: TickSubject, owners: readonly string[]): Promise<Rows> {
  const rows = new Map<string, Uint8Array>();
  for (const owner of owners) {
    // What the runtime keeps of itself tells of its starts.
    if (owner === RUNTIME) continue;
    for (const { key, value } of await subject.backend.storage(owner).list({ prefix: "" })) {
      rows.set(`${owner} ${key}`, value);
    }
  }
  return rows;
}

function differences(before: Rows, after: Rows): string[] {
  const changed = [...before].filter(([at, value]) => {
    const other = after.get(at);
    return !other || other.length !== value.length || other.some((byte, i) => byte !== value[i]);
  });
  return [
    ...changed.map(([at]) => at),
    ...[...after.keys()].filter((at) => !before.has(at)),
  ];
}
