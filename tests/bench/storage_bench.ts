/** How many tick-like commits a second the local storage makes durable, beside plain `node:sqlite` with the same rows and bytes: `deno run -A tests/bench/storage_bench.ts`. */
import { DatabaseSync } from "node:sqlite";
import { openLocal } from "../../src/backends/local/sqlite.ts";
import { key } from "../../src/core/keys.ts";
import type { Batch } from "../../src/core/storage.ts";

interface Step {
  readonly owner: string;
  readonly batch: Batch;
}
/** Does the steps in groups of that size and answers what they took. */
type Run = (steps: readonly Step[], groupSize: number) => Promise<number>;

const AGENTS = 1000;
const GROUPED = { messages: 12_800, groupSize: 64 };
const SINGLE = { messages: 3_000, groupSize: 1 };
/** Rounds are interleaved, and the best of each counts, so that a busy machine disturbs both alike. */
const ROUNDS = 3;

function bytes(length: number, letter: string): Uint8Array {
  return new TextEncoder().encode(letter.repeat(length));
}
const ENVELOPE = bytes(350, "e");
const STATE = bytes(300, "s");
const TURN = bytes(220, "t");
const RECORD = bytes(500, "r");
const SEEN = bytes(60, "i");

/** A message costs two commits: it is taken in, and its tick removes it. They stand group by group, as they would arrive. */
function work(messages: number, groupSize: number): Step[] {
  const steps: Step[] = [];
  for (let first = 0; first < messages; first += groupSize) {
    const ns = Array.from({ length: Math.min(groupSize, messages - first) }, (_, i) => first + i);
    for (const n of ns) steps.push({ owner: `agent-${n % AGENTS}`, batch: delivery(n) });
    for (const n of ns) steps.push({ owner: `agent-${n % AGENTS}`, batch: tick(n) });
  }
  return steps;
}

function delivery(n: number): Batch {
  // Ids in no order, as UUIDs of many senders are.
  const seen = key.seen(`env_${(Math.imul(n, 2654435761) >>> 0).toString(16).padStart(12, "0")}`);
  return {
    check: [{ key: seen, value: undefined }],
    remove: [],
    put: [{ key: seen, value: SEEN }, { key: key.inbox(n), value: ENVELOPE }],
  };
}

function tick(n: number): Batch {
  const isFirst = n < AGENTS;
  return {
    check: [
      { key: key.turn, value: isFirst ? undefined : TURN },
      { key: key.inbox(n), value: ENVELOPE },
    ],
    remove: [key.inbox(n)],
    put: [
      { key: key.state, value: STATE },
      { key: key.turn, value: TURN },
      { key: key.trajectory(n), value: RECORD },
    ],
  };
}

/** What somebody would write by hand: one table, prepared statements, no copies, no promises, and no check but the one for a repeated id. */
const plain: Run = (steps, groupSize) =>
  inDir((dir) => {
    const db = new DatabaseSync(`${dir}/plain.db`);
    db.exec("PRAGMA journal_mode = WAL");
    db.exec("PRAGMA synchronous = FULL");
    db.exec(`CREATE TABLE rows (owner INTEGER NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL,
      PRIMARY KEY (owner, key)) WITHOUT ROWID`);
    const get = db.prepare("SELECT value FROM rows WHERE owner = ? AND key = ?");
    const put = db.prepare(`INSERT INTO rows (owner, key, value) VALUES (?, ?, ?)
      ON CONFLICT (owner, key) DO UPDATE SET value = excluded.value`);
    const remove = db.prepare("DELETE FROM rows WHERE owner = ? AND key = ?");
    const begin = db.prepare("BEGIN IMMEDIATE");
    const commit = db.prepare("COMMIT");
    const owners = steps.map(({ owner }) => Number(owner.slice(owner.indexOf("-") + 1)));
    const started = performance.now();
    for (let first = 0; first < steps.length; first += groupSize) {
      begin.run();
      for (let i = first; i < first + groupSize && i < steps.length; i++) {
        const { check, remove: gone, put: rows } = steps[i]!.batch;
        const owner = owners[i]!;
        if (gone.length === 0) get.get(owner, check[0]!.key);
        for (const k of gone) remove.run(owner, k);
        for (const { key, value } of rows) put.run(owner, key, value);
      }
      commit.run();
    }
    const took = performance.now() - started;
    db.close();
    return Promise.resolve(took);
  });

const local: Run = (steps, groupSize) =>
  inDir(async (dir) => {
    const backend = await openLocal(`${dir}/data`);
    const storages = new Map(steps.map(({ owner }) => [owner, backend.storage(owner)]));
    const started = performance.now();
    for (let first = 0; first < steps.length; first += groupSize) {
      await Promise.all(
        steps.slice(first, first + groupSize).map(({ owner, batch }) =>
          storages.get(owner)!.commit(batch)
        ),
      );
    }
    const took = performance.now() - started;
    await backend.close();
    return took;
  });

async function inDir<T>(run: (dir: string) => Promise<T>): Promise<T> {
  const dir = await Deno.makeTempDir();
  try {
    return await run(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

async function compare(name: string, { messages, groupSize }: typeof GROUPED): Promise<string[]> {
  const steps = work(messages, groupSize);
  let [plainMs, localMs] = [Infinity, Infinity];
  for (let round = 0; round < ROUNDS; round++) {
    plainMs = Math.min(plainMs, await plain(steps, groupSize));
    localMs = Math.min(localMs, await local(steps, groupSize));
  }
  const perSecond = (ms: number) => Math.round(steps.length / (ms / 1000)).toLocaleString("en");
  return [name, perSecond(plainMs), perSecond(localMs), `${(plainMs / localMs).toFixed(2)}`];
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  return rows.map((row) =>
    row.map((cell, i) => i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)).join("  ")
  ).join("\n");
}

if (import.meta.main) {
  console.log(table([
    ["commits/s, WAL, synchronous=FULL", "node:sqlite", "storage", "ratio"],
    await compare("one by one", SINGLE),
    await compare("64 at a time", GROUPED),
  ]));
}
