/**
 * A data directory as the first version of the schema has it, written without the program: its tables and rows word for word. What a later program makes of it
 * must be the same agent, so this file is never changed along with the program.
 */
import { DatabaseSync } from "node:sqlite";

const TABLES = [
  "CREATE TABLE owners (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE)",
  "CREATE TABLE rows (owner INTEGER NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (owner, key)) WITHOUT ROWID",
  "CREATE TABLE work (family TEXT NOT NULL, owner TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (family, owner, key)) WITHOUT ROWID",
  "CREATE TABLE due (family TEXT NOT NULL, owner TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (family, owner, key)) WITHOUT ROWID",
  "CREATE INDEX due_by_time ON due (key, owner)",
  "CREATE TABLE dropped (id INTEGER PRIMARY KEY)",
  "CREATE TABLE families (prefix TEXT PRIMARY KEY, place TEXT NOT NULL) WITHOUT ROWID",
];

const CREATED_MS = 1_795_373_488_952;
/** Far enough for every test: the year 2100. */
const ALARM_MS = 4_102_444_800_000;
const DIGEST = "e49b40e9d8730ecc5409d8ea49ffcd517a1d53e1dae455d25b1a36b0e3c7ecb7";
const CLIENT = { kind: "http", principal: "operator" };
const ENVELOPES = [
  "env_01a20499-5b76-773d-8815-dfee80f900ef",
  "env_01a20499-5ba1-73f4-9d4c-8373981ba944",
  "env_01a20499-5c6e-74b1-bb9e-a07aef6a179a",
];
const TICK = { tick_id: "tick_01a20499-5b77-742a-85ce-d117d5f79359", envelope_id: ENVELOPES[0] };

/** The secret key 1, whose public key every book has. */
export const PUBKEY = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";

/** `bob`, a counter that has counted two messages; a third one waits, an alarm is set. */
const BOB: Readonly<Record<string, unknown>> = {
  "agent": {
    id: "bob",
    name: "Bob the first",
    birth: "4013577e-f97c-449d-8c27-58ebdfbd60cb",
    created_at: CREATED_MS,
    pubkey: PUBKEY,
    agent: { kind: "builtin", name: "counter" },
    code_digest: DIGEST,
    config: { lang: "en" },
    limits: {
      max_tick_ms: 600_000,
      max_stall_ms: 10_000,
      max_state_bytes: 8_388_608,
      max_memory_mb: 128,
      idle_ms: 30_000,
      retry_ms: [1000, 5000, 30_000],
      max_consecutive_failures: 10,
      retention: { trace: 10_000, outbox: 1000, trajectory: 10_000 },
    },
    mounts: {},
    request: "d7afc0e7d94d21e77aef17c7ad2f6313105615f7c49f7cdc8c016aa4c3a2d7d5",
  },
  "alarmid/0c12751e40e4089a": ALARM_MS,
  [`alarm/${String(ALARM_MS).padStart(16, "0")}/0c12751e40e4089a`]: {
    id: "0c12751e40e4089a",
    due: ALARM_MS,
    payload: null,
  },
  "file//a.txt": {
    size: 5,
    modified: CREATED_MS + 150,
    version: "01a20499-5bcd-78f8-b28b-dc7200026918",
    inline: "aGVsbG8=",
  },
  "goal/g1": {
    id: "g1",
    description: "be good",
    status: "active",
    progress: 0,
    created_at: "2026-11-22T18:51:29.183Z",
    updated_at: "2026-11-22T18:51:29.183Z",
  },
  "inbox/000000000003": {
    id: ENVELOPES[2],
    timestamp: CREATED_MS + 310,
    source: CLIENT,
    payload: { kind: "text", text: "three" },
    metadata: {},
  },
  "kv/color": "red",
  "outbox/000000000001": reply(1, 0, "1"),
  "outbox/000000000002": reply(2, 1, "2"),
  "phase": { phase: "active", since: CREATED_MS },
  [`reply/${ENVELOPES[0]}/000000000001`]: { seq: 1 },
  [`reply/${ENVELOPES[1]}/000000000002`]: { seq: 2 },
  [`seen/${ENVELOPES[0]}`]: { n: 1, d: "b09a72d8ca37526f" },
  [`seen/${ENVELOPES[1]}`]: { n: 2, d: "5800650633ef6226" },
  [`seen/${ENVELOPES[2]}`]: { n: 3, d: "343145624d83aaa9" },
  "state": { count: 2, alarms: 0 },
  "trace/000000000001": [
    {
      seq: 1,
      timestamp: "2026-11-22T18:51:28.971Z",
      type: "lifecycle",
      state: "created",
      code_digest: DIGEST,
    },
  ],
  "trace/000000000002": [
    {
      seq: 2,
      timestamp: "2026-11-22T18:51:29.015Z",
      type: "message_in",
      envelope_id: ENVELOPES[0],
      from: "http:operator",
      payload: { kind: "text", text: "one" },
    },
    {
      seq: 3,
      timestamp: "2026-11-22T18:51:29.019Z",
      type: "tick_end",
      ...TICK,
      success: true,
      duration_ms: 2,
    },
  ],
  "trajectory/000000000001": {
    seq: 1,
    type: "tick",
    timestamp: "2026-11-22T18:51:29.017Z",
    ...TICK,
    attempt: 1,
    outcome: "committed",
    code_digest: DIGEST,
    trigger: {
      type: "message",
      meta: {
        envelope_id: ENVELOPES[0],
        source: CLIENT,
        seq: 1,
        created_at: CREATED_MS + 62,
      },
      payload: { kind: "text", text: "one" },
      text: "one",
      from: "http:operator",
    },
    calls: [],
    messages: [],
    events: [{ seq: 1, type: "reply" }],
    state_changes: [{ op: "add", path: "", value: { count: 1, alarms: 0 } }],
    logs: [],
    usage: {
      compute_ms: 2,
      storage_reads: 0,
      storage_writes: 0,
      storage_bytes_written: 232,
      messages_sent: 0,
      api_calls: 0,
    },
    duration_ms: 2,
    cost_micro_usd: 0,
  },
  "turn": {
    ticks: 2,
    inbox: 4,
    outbox: 3,
    send: 1,
    trajectory: 2,
    trace: 4,
    marks: 1,
    failures: 0,
    last_at: CREATED_MS + 107,
    last_cause: "message http:operator",
    last_error: null,
    version: 1,
  },
};

const OWNERS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  "@registry": { "agent/bob": { created_at: CREATED_MS } },
  "@runtime": { clean: { at: "2026-11-22T18:51:29.267Z" }, known: {} },
  bob: BOB,
};

function reply(seq: number, n: number, text: string) {
  return {
    seq,
    timestamp: "2026-11-22T18:51:29.015Z",
    type: "reply",
    envelope_id: ENVELOPES[n],
    to: CLIENT,
    payload: { kind: "text", text },
  };
}

/** Makes the directory, which must not be there. */
export function makeVersion1(dir: string): void {
  Deno.mkdirSync(dir, { mode: 0o700 });
  const keys = { version: 1, keys: { bob: "1".padStart(64, "0") } };
  Deno.writeTextFileSync(`${dir}/keys`, JSON.stringify(keys), { mode: 0o600 });
  Deno.writeTextFileSync(`${dir}/token`, "agentd_of-version-1\n", { mode: 0o600 });
  const db = new DatabaseSync(`${dir}/agentd.db`);
  db.exec("PRAGMA application_id = 1095193668; PRAGMA journal_mode = WAL; PRAGMA user_version = 1");
  for (const table of TABLES) db.exec(table);
  const owner = db.prepare("INSERT INTO owners (name) VALUES (?) RETURNING id");
  // That some families stand in tables of their own is decided by each program anew: this one had none.
  const row = db.prepare("INSERT INTO rows (owner, key, value) VALUES (?, ?, ?)");
  for (const [name, rows] of Object.entries(OWNERS)) {
    const { id } = owner.get(name) as { id: number };
    for (const [key, value] of Object.entries(rows)) {
      row.run(id, key, new TextEncoder().encode(JSON.stringify(value)));
    }
  }
  db.close();
  Deno.chmodSync(`${dir}/agentd.db`, 0o600);
}
