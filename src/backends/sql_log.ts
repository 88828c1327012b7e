/**
 * The log before the tables. A tick changes rows in many places of the database, and each place is a page that a commit must write; so what a group of
 * batches has written goes into one row of the log, which makes it durable, and into memory, which is what reads see first. The tables follow: many ticks at
 * a time, each row as it stood last, and what came and went in between not at all.
 */
import type { Batch, Row } from "../core/storage.ts";
import type { Owner } from "../core/backend.ts";
import type { FileError } from "../fs/error.ts";
import { conflict, copyOf, sameBytes } from "./batch.ts";
import { decodeWritten, encodeWritten, type Written } from "./log_code.ts";
import { type Laid, type LaidRow, type RowLayer, rowLayer } from "./row_layer.ts";
import type { SqlPort } from "./sql_port.ts";
import { placeOf } from "./sql_place.ts";
import { behind, type OwnedRow, type SqlTables } from "./sql_tables.ts";

export interface SqlLog {
  /** Not for callers, who could change it. */
  get(owner: Owner, key: string): Uint8Array | undefined;
  /** At most `limit` rows, nobody else's; all if it is negative. */
  list(owner: Owner, prefix: string, from: string, limit: number): Row[];
  /** One transaction. @returns why a batch was refused, having changed nothing; undefined where it is durable */
  apply(jobs: readonly { readonly owner: Owner; readonly batch: Batch | undefined }[]): (
    | FileError
    | undefined
  )[];
  /** All that is in the log stands in the tables when this returns. */
  settle(): void;
  /** Moves a few rows; answers whether there are more to move. */
  settleSome(): boolean;
  /** What the log holds began to wait for its tables: they are asked for from now on. */
  ripen(): void;
  /** Something waits for its tables. */
  readonly waits: boolean;
}

export interface LogLimits {
  /** What is held in memory before the tables get it. As much again may be on its way there. */
  readonly ripeBytes: number;
  /** Rows that follow into the tables with one commit, at least. */
  readonly settleRows: number;
}

export const LOG_LIMITS: LogLimits = { ripeBytes: 8 * 1024 * 1024, settleRows: 128 };
/** More follow with a commit that brings more: so many for each of its own. */
const SETTLE_SHARE = 2;
/** Rows that follow in a transaction of their own. */
const SETTLE_ALONE_ROWS = 512;
/** A larger value goes to its table at once: written twice it would cost more than the page it saves. */
const MAX_LOGGED_BYTES = 16 * 1024;

const APPEND = "INSERT INTO log (seq, written) VALUES (?, ?)";
const READ = "SELECT seq, written FROM log WHERE seq > ? ORDER BY seq LIMIT 1";
const CUT = "DELETE FROM log WHERE seq <= ?";

/** What is on its way to the tables. */
interface Ripe {
  readonly layer: RowLayer;
  /** Entries of the log up to here are in it. */
  readonly seq: number;
  rows: ReturnType<RowLayer["all"]>;
}

/** Opens the log of a database that has the tables, and moves what an unclean stop has left in it. */
export function sqlLog(port: SqlPort, tables: SqlTables, limits = LOG_LIMITS): SqlLog {
  let young = rowLayer();
  let ripe: Ripe | undefined;
  let seq = 0;

  function laid(owner: Owner, key: string): Laid | undefined {
    const value = young.get(owner, key);
    return value === undefined ? ripe?.layer.get(owner, key) : value;
  }
  function get(owner: Owner, key: string): Uint8Array | undefined {
    const value = laid(owner, key);
    return value === undefined ? tables.get(owner, key) : value ?? undefined;
  }

  /** Alarms are found by their time, in the tables; they and what is large are there at once, if nothing in memory lies over them. */
  function isDirect(owner: Owner, { key, value }: Row): boolean {
    return isTimed(key) || value.byteLength > MAX_LOGGED_BYTES && laid(owner, key) === undefined;
  }

  function settleRows(most: number): boolean {
    if (!move(ripe!.rows, most)) return false;
    port.exec(CUT, [ripe!.seq]);
    return true;
  }
  /** Answers whether those were all. */
  function move(rows: ReturnType<RowLayer["all"]>, most: number): boolean {
    const put: OwnedRow[] = [];
    let left = true;
    while (left && most-- > 0) {
      const { done, value } = rows.next();
      if (done) left = false;
      else if (value[2]) put.push({ owner: value[0], key: value[1], value: value[2] });
      else tables.remove(value[0], value[1]);
    }
    tables.putAll(put);
    return !left;
  }
  function settleAll(): void {
    if (ripe) settleRows(Infinity);
    move(young.all(), Infinity);
    port.exec(CUT, [seq]);
    young = rowLayer();
    ripe = undefined;
  }
  function ripen(): void {
    if (ripe || young.bytes === 0) return;
    ripe = { layer: young, seq, rows: young.all() };
    young = rowLayer();
  }

  /** In one transaction, or as if it had never begun. */
  function transaction<T>(run: (takeBack: (undo: () => void) => void) => T): T {
    const before = { young, ripe, seq };
    const undone: (() => void)[] = [];
    try {
      return tables.transaction(() => run((undo) => undone.push(undo)));
    } catch (error) {
      for (const undo of undone.reverse()) undo();
      ({ young, ripe, seq } = before);
      // Rows that were on their way in it are not known to have come: all set out again.
      if (ripe) ripe.rows = ripe.layer.all();
      throw error;
    }
  }

  /** What an unclean stop has left. */
  function takeUp(): void {
    for (let [entry] = port.exec(READ, [seq]); entry; [entry] = port.exec(READ, [seq])) {
      for (const { owner, remove, put } of decodeWritten(entry[1] as Uint8Array)) {
        for (const key of remove) young.set(owner, key, null);
        for (const { key, value } of put) young.set(owner, key, value);
      }
      seq = entry[0] as number;
    }
    if (seq > 0) transaction(settleAll);
  }
  takeUp();

  return {
    get,
    ripen,
    get waits() {
      return ripe !== undefined || young.bytes > 0;
    },
    list(owner, prefix, from, limit) {
      const layers = ripe ? [young, ripe.layer] : [young];
      const rows: Row[] = [];
      for (let most = limit; most !== 0; most = limit - rows.length) {
        const below = tables.list(owner, prefix, from, most);
        // Behind the last of a full page the tables may have more, which come before what lies over them there.
        const last = below.length === most ? below.at(-1)!.key : undefined;
        const over = layers.map((layer) => copies(layer.range(owner, prefix, from)));
        merge(rows, [...over, plain(below)], limit, last);
        if (last === undefined) break;
        from = behind(last);
      }
      return rows;
    },
    apply(jobs) {
      let changes = 0;
      let settled = false;
      const refusals = transaction((takeBack) => {
        let written: Written[] = [];
        function write(owner: Owner, batch: Batch): FileError | undefined {
          for (const { key, value } of batch.check) {
            if (!sameBytes(get(owner, key), value)) return conflict(owner, key);
          }
          const remove: string[] = [];
          const put: Row[] = [];
          const set = (key: string, value: Laid) => {
            const layer = young;
            const before = layer.set(owner, key, value);
            takeBack(() => layer.undo(owner, key, before));
          };
          for (const key of batch.remove) {
            if (isTimed(key)) tables.remove(owner, key);
            else {
              set(key, null);
              remove.push(key);
            }
          }
          for (const row of batch.put) {
            if (isDirect(owner, row)) tables.put(owner, row);
            else {
              set(row.key, row.value);
              put.push(row);
            }
          }
          changes += batch.remove.length + batch.put.length;
          if (remove.length + put.length > 0) written.push({ owner, remove, put });
        }
        function drop(owner: Owner): undefined {
          // What the log says of it would bring it back.
          settleAll();
          written = [];
          tables.drop(owner);
        }
        const answers = jobs.map(({ owner, batch }) => batch ? write(owner, batch) : drop(owner));
        if (written.length > 0) port.exec(APPEND, [++seq, encodeWritten(written)]);
        if (ripe) settled = settleRows(Math.max(limits.settleRows, changes * SETTLE_SHARE));
        return answers;
      });
      if (settled) ripe = undefined;
      if (young.bytes > limits.ripeBytes) ripen();
      return refusals;
    },
    settle() {
      if (ripe || young.bytes > 0) transaction(settleAll);
    },
    settleSome() {
      if (!ripe) return false;
      if (transaction(() => settleRows(SETTLE_ALONE_ROWS))) ripe = undefined;
      return ripe !== undefined;
    },
  };
}

/** Whether its rows are found by their time. */
function isTimed(key: string): boolean {
  return placeOf(key).table === "due";
}

function* copies(rows: Iterable<LaidRow>): Generator<LaidRow, void> {
  for (const [key, value] of rows) yield [key, value && copyOf(value)];
}

function* plain(rows: readonly Row[]): Generator<LaidRow, void> {
  for (const { key, value } of rows) yield [key, value];
}

/** Adds rows in order, up to the key `last`; of those with one key, the first source's stands. No limit if it is negative. */
function merge(
  rows: Row[],
  sources: readonly Generator<LaidRow, void>[],
  limit: number,
  last: string | undefined,
): void {
  const heads = sources.map((source) => source.next().value || undefined);
  while (rows.length !== limit) {
    let first: LaidRow | undefined;
    for (const head of heads) if (head && (!first || head[0] < first[0])) first = head;
    if (!first || last !== undefined && first[0] > last) return;
    const [key, value] = first;
    for (let i = 0; i < heads.length; i++) {
      if (heads[i]?.[0] === key) heads[i] = sources[i]!.next().value || undefined;
    }
    if (value) rows.push({ key, value });
  }
}
