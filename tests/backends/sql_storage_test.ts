import assert from "../assert.ts";
import { key } from "../../src/core/keys.ts";
import type { Backend } from "../../src/core/backend.ts";
import type { Batch } from "../../src/core/storage.ts";
import { sqlFixture } from "./sql_fixture.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const row = (key: string, text: string) => ({ key, value: bytes(text) });
const puts = (...keys: string[]): Batch => ({
  check: [],
  remove: [],
  put: keys.map((k) => row(k, k)),
});

async function texts(backend: Backend, owner: string): Promise<string[]> {
  const rows = await backend.storage(owner).list({ prefix: "" });
  return rows.map(({ key, value }) => `${key}=${new TextDecoder().decode(value)}`);
}

async function outcome(done: Promise<void>): Promise<string> {
  return await done.then(() => "ok", (error) => error.message);
}

/** Until the backend's own tidying is over. */
async function quiet(log: readonly string[]): Promise<void> {
  for (let before = -1; before !== log.length;) {
    before = log.length;
    await new Promise((resolve) => setTimeout(resolve));
    await new Promise((resolve) => setTimeout(resolve));
  }
}

Deno.test("commits that arrive together share one transaction, whoever they are of", async () => {
  const { backend, log } = sqlFixture();
  log.length = 0;
  await Promise.all(
    Array.from({ length: 50 }, (_, n) => backend.storage(`agent-${n}`).commit(puts("state"))),
  );
  assert.equal(log.filter((entry) => entry === "transaction").length, 1);
  await Promise.all([backend.storage("a").commit(puts("state")), backend.drop("never")]);
  assert.equal(log.filter((entry) => entry === "transaction").length, 2);
});

Deno.test("whichever touch of the database fails, all in the transaction are rejected and none is stored", async () => {
  let failures = 0;
  for (let n = 1; n < 100; n++) {
    const { backend, failAt } = sqlFixture();
    const storage = backend.storage("a");
    await storage.commit({ check: [], remove: [], put: [row("state", "1"), row("kv/a", "1")] });
    await backend.storage("gone").commit(puts("state", key.inbox(1)));
    const [before, goneBefore] = [await texts(backend, "a"), await texts(backend, "gone")];
    const batch = {
      check: [row("state", "1")],
      remove: ["kv/a"],
      put: [row("state", "2"), row(key.inbox(1), "2"), row("kv/b", "2")],
    };
    failAt(n);
    const done = await Promise.all([
      storage.commit(batch),
      storage.commit({ ...batch, check: [row("state", "never")] }),
      backend.storage("new").commit(puts("state", key.alarm(1, "a"))),
      backend.drop("gone"),
    ].map(outcome));
    if (done.includes("ok")) {
      failAt(undefined);
      break;
    }
    failures++;
    assert.deepEqual(done, Array(4).fill(done[0]), `touch ${n}`);
    assert.deepEqual(await texts(backend, "a"), before, `rows after touch ${n} failed`);
    assert.deepEqual(await texts(backend, "gone"), goneBefore);
    assert.deepEqual(await backend.owners({ limit: 9 }), ["a", "gone"]);
    assert.deepEqual(await backend.find({ prefix: "alarm/", limit: 9 }), []);
    // What the memory holds of the failed transaction would show in checks and in new owners' numbers.
    assert.equal(new TextDecoder().decode(await storage.get("state")), "1");
    await backend.storage("other").commit(puts("state"));
    await backend.storage("new").commit({
      ...puts("turn"),
      check: [{ key: "state", value: undefined }],
    });
    await storage.commit(batch);
    assert.deepEqual(await texts(backend, "a"), [`${key.inbox(1)}=2`, "kv/b=2", "state=2"]);
    assert.deepEqual(await texts(backend, "new"), ["turn=turn"]);
    assert.deepEqual(await texts(backend, "other"), ["state=state"]);
  }
  assert.ok(failures > 15, `${failures} touches failed`);
});

Deno.test("a dropped owner's rows are swept a few at a time, and on after a restart", async () => {
  const { backend, db, log, again } = sqlFixture();
  const left = () => Object.values(db.prepare("SELECT count(*) FROM rows").get()!)[0] as number;
  const keys = Array.from({ length: 400 }, (_, n) => key.kv(String(n)));
  await backend.storage("a").commit(puts("state", ...keys));
  await backend.storage("b").commit(puts("state"));
  await backend.drop("a");
  assert.ok(left() >= 300, "the drop itself removes few rows");
  assert.deepEqual(await texts(backend, "a"), []);
  backend.close();
  const next = again();
  await next.storage("b").commit(puts("turn"));
  await quiet(log);
  assert.deepEqual(await texts(next, "b"), ["state=state", "turn=turn"]);
  next.close();
  assert.equal(left(), 2);
  assert.equal(Object.values(db.prepare("SELECT count(*) FROM dropped").get()!)[0], 0);
});

Deno.test("a sweep that fails is tried again after the next commit, not at once", async () => {
  const { backend, db, log, failAt } = sqlFixture();
  await backend.storage("a").commit(puts(...Array.from({ length: 100 }, (_, n) => key.kv(`${n}`))));
  await backend.drop("a");
  failAt(1);
  await quiet(log);
  const stood = log.length;
  await quiet(log);
  assert.equal(log.length, stood);
  failAt(undefined);
  await backend.storage("b").commit(puts("state"));
  await quiet(log);
  backend.close();
  assert.equal(Object.values(db.prepare("SELECT count(*) FROM rows").get()!)[0], 1);
});

Deno.test("no statement reads more of a table than it answers", async () => {
  const { backend, db, log } = sqlFixture();
  const storage = backend.storage("a");
  const batch = puts("state", "kv/a", key.inbox(1), key.alarm(1, "a"));
  await storage.commit(batch);
  await storage.commit({ ...batch, remove: ["kv/a", key.inbox(1), key.alarm(1, "a")] });
  for (const prefix of ["", "kv/", "inbox/", "alarm/"]) {
    await storage.list({ prefix, after: prefix, limit: 3 });
  }
  for (const k of ["kv/b", key.inbox(9), key.alarm(9, "a")]) await storage.get(k);
  for (const prefix of ["inbox/", "alarm/"]) {
    await backend.find({ prefix, limit: 5, after: { owner: "a", key: prefix }, through: "z" });
  }
  await backend.owners({ limit: 5 });
  await backend.drop("a");
  await quiet(log);
  const statements = new Set(log.filter((entry) => entry !== "transaction"));
  assert.ok(statements.size > 20);
  for (const sql of statements) {
    const plan = db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all()
      .map(({ detail }) => String(detail)).join("; ");
    assert.doesNotMatch(plan, /SCAN (rows|work|due|owners)|TEMP B-TREE/, `${sql}: ${plan}`);
  }
});

Deno.test("a closed backend commits what waited and then refuses everything, rows it knows by heart too", async () => {
  const { backend, log } = sqlFixture();
  const storage = backend.storage("a");
  const waiting = storage.commit(puts("state"));
  backend.close();
  await waiting;
  await quiet(log);
  for (
    const ask of [
      () => storage.get("state"),
      () => storage.list({ prefix: "" }),
      () => storage.commit(puts("state")),
      () => backend.owners({ limit: 1 }),
      () => backend.find({ prefix: "inbox/", limit: 1 }),
      () => backend.drop("a"),
    ]
  ) await assert.rejects(ask, { name: "FileError", code: "not_ready" });
});

/** Asked for without `owners` or `find`, which would move what is in the log. */
async function sees(backend: Backend, owner: string, keys: readonly string[]): Promise<void> {
  assert.deepEqual((await texts(backend, owner)).map((row) => row.split("=")[0]), keys);
  for (const k of keys) assert.ok(await backend.storage(owner).get(k), k);
}

Deno.test("what is in the log at the end of a process that did not close is there for the next one", async () => {
  const { backend, db, again } = sqlFixture();
  const count = (table: string) =>
    Object.values(db.prepare(`SELECT count(*) FROM ${table}`).get()!)[0];
  await backend.storage("a").commit(puts("kv/gone", "state", key.inbox(1)));
  await backend.storage("b").commit(puts("state", key.alarm(1, "a")));
  await backend.storage("a").commit({ ...puts("kv/new"), remove: ["kv/gone", key.inbox(1)] });
  await backend.drop("b");
  await backend.storage("b").commit(puts("turn"));
  assert.ok(count("log") as number > 0, "the log is what this test is about");
  const next = again();
  assert.equal(count("log"), 0);
  await sees(next, "a", ["kv/new", "state"]);
  await sees(next, "b", ["turn"]);
  assert.deepEqual(await next.find({ prefix: "inbox/", limit: 9 }), []);
  assert.deepEqual(await next.find({ prefix: "alarm/", limit: 9 }), []);
});

Deno.test("rows follow from the log into their tables while more are written, and each is read as it stands", async () => {
  const { backend, db, again } = sqlFixture({ ripeBytes: 1_000_000, settleRows: 64 });
  const tables = () => Object.values(db.prepare("SELECT count(*) FROM rows").get()!)[0] as number;
  const big = (k: string) => ({ key: k, value: new Uint8Array(10_000).fill(k.length) });
  const keys = Array.from({ length: 900 }, (_, n) => key.kv(String(n).padStart(4, "0")));
  let most = 0;
  for (const [n, k] of keys.entries()) {
    const remove = n % 3 === 2 ? [keys[n - 1]!] : [];
    await backend.storage("a").commit({ check: [], remove, put: [big(k)] });
    most = Math.max(most, tables());
    if (n % 100 === 0) assert.ok(await backend.storage("a").get(keys[0]!));
  }
  assert.ok(most > 100, `${most} rows are in their table before anybody asked for that`);
  const left = keys.filter((_, n) => n % 3 !== 1);
  await sees(backend, "a", left);
  const page = await backend.storage("a").list({ prefix: "kv/", after: keys[300]!, limit: 5 });
  assert.deepEqual(page.map((row) => row.key), left.filter((k) => k > keys[300]!).slice(0, 5));
  await sees(again(), "a", left);
});
