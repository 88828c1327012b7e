/** A restart in the midst of it: what runs goes on, each byte is told once, and what is gone is said to be. */
import type { Backend } from "../../../src/core/backend.ts";
import type { UsageReport } from "../../../src/core/budget.ts";
import { agentId } from "../../../src/core/id.ts";
import { callText, readJson } from "../../../src/fs/use.ts";
import { deepEqual, equal, match, ok, rejects } from "../../assert.ts";
import { lineTo, scripted } from "./scripted.ts";
import {
  type Accepted,
  ID,
  type Open,
  type Output,
  type Status,
  test,
  untilKilled,
} from "./world.ts";

const WORDS = ["one ", "two grü", "ß three ", "four "];

/** A backend whose `n`th commit, and all behind it, never come. */
function dying(n: number): { spoil: (backend: Backend) => Backend; dead: Promise<void> } {
  const { promise: dead, resolve } = Promise.withResolvers<void>();
  let count = 0;
  return {
    dead,
    spoil: (backend) => ({
      ...backend,
      storage(owner) {
        const storage = backend.storage(owner);
        return {
          ...storage,
          async commit(batch) {
            if (++count > n) {
              resolve();
              return await new Promise<never>(() => {});
            }
            await storage.commit(batch);
          },
        };
      },
    }),
  };
}

function textOf(events: readonly Output[]): string {
  const parts = events.filter(({ stream }) => stream).map(({ data, encoding }) =>
    encoding === undefined ? new TextEncoder().encode(data!) : Uint8Array.fromBase64(data!)
  );
  return new TextDecoder().decode(Uint8Array.from(parts.flatMap((part) => [...part])));
}

/** Dies at the `n`th commit; answers whether it came that far, once all has been made good. */
async function crashedAt(open: Open, n: number): Promise<boolean> {
  const engine = scripted(async ({ text, print, files }) => {
    const bytes = new TextEncoder().encode(`${text}: ${WORDS.join("")}`);
    for (let at = 0; at < bytes.length; at += 5) await print(bytes.subarray(at, at + 5));
    files.set("out/x.txt", bytes);
    return 0;
  });
  const line = lineTo(engine);
  const { spoil, dead } = dying(n);
  const first = await Promise.race([
    open([line], { spoil, dies: true }),
    dead.then(() => undefined),
  ]);
  // Before there is an agent, there is nothing to be taken up.
  if (!first) return true;
  const begun = first.begin({
    commands: ["a", "b"],
    files: { "in.txt": "x" },
    artifacts: ["**/*.txt"],
  });
  begun.catch(() => {});
  const session = await Promise.race([begun, dead.then(() => undefined)]);
  if (!session) return true;
  const isOver = await Promise.race([
    first.ended(session).then(() => true),
    dead.then(() => false),
  ]);
  line.cut();
  if (isOver) return false;

  const second = await open([engine], { rows: first.backend.reopen() });
  const { status, error } = await second.ended(session);
  deepEqual([status, error], ["complete", null], `commit ${n}`);
  const events = await second.output(session);
  equal(textOf(events), ["a", "b"].map((name) => `${name}: ${WORDS.join("")}`).join(""));
  deepEqual(events.map(({ seq }) => seq), events.map((_, i) => i + 1), `commit ${n}`);
  deepEqual(engine.begun, ["a", "b"], `commit ${n}`);
  const result = await second.result(session);
  equal(result.stdout, textOf(events));
  deepEqual(result.command_results.map(({ stdout }) => stdout[0]), ["a", "b"]);
  deepEqual(result.artifacts.map(({ path }) => path), ["in.txt", "out/x.txt"]);
  deepEqual(engine.running(), []);
  return true;
}

test("wherever it crashes, the session goes on: every byte once, every command once", async (open) => {
  let n = 0;
  while (await crashedAt(open, n)) n++;
  ok(n > 10, `${n} commits`);
});

/** The same with a command that is given to a session. */
async function execCrashedAt(open: Open, n: number): Promise<boolean> {
  const engine = scripted(async ({ print }) => {
    for (const word of WORDS) await print(word);
    return 3;
  });
  const line = lineTo(engine);
  const { spoil, dead } = dying(n);
  const dies = dead.then(() => undefined);
  const first = await Promise.race([open([line], { spoil, dies: true }), dies]);
  const begun = first?.begin({ kind: "interactive" });
  begun?.catch(() => {});
  const session = await Promise.race([begun, dies]);
  if (!first || !session) return true;
  const given = await Promise.race([
    first.until(session, "running").then(() => first.exec(session, { command: "x" })),
    dies,
  ]);
  const isOver = given && await Promise.race([first.ended(given).then(() => true), dies]);
  line.cut();
  if (isOver) return false;
  const second = await open([engine], { rows: first.backend.reopen() });
  await second.until(session, "running");
  if (given) {
    const { status, error } = await second.ended(given);
    deepEqual([status, error], ["complete", null], `commit ${n}`);
    const events = await second.output(given);
    equal(textOf(events), WORDS.join(""), `commit ${n}`);
    equal(events.at(-1)?.exit_code, 3, `commit ${n}`);
    equal(events.filter(({ type }) => type === "exit").length, 1, `commit ${n}`);
    const { stdout } = await readJson<{ stdout: string }>(second.files, given.result_path);
    deepEqual([stdout, engine.begun], [WORDS.join(""), ["x"]], `commit ${n}`);
  }
  await second.ctl(session, "stop");
  deepEqual(engine.running(), []);
  return true;
}

test("wherever it crashes, a command goes on: every byte once, and one exit", async (open) => {
  let n = 0;
  while (await execCrashedAt(open, n)) n++;
  ok(n > 10, `${n} commits`);
});

test("a session that runs outlives a runtime that ends, and goes on in the next", async (open) => {
  const more = Promise.withResolvers<void>();
  const engine = scripted(async ({ print }) => {
    await print("before ");
    await more.promise;
    await print("behind");
    return 0;
  });
  const first = await open([engine], { dies: true });
  const session = await first.begin({ kind: "interactive", notify: false });
  await first.until(session, "running");
  const given = await first.exec(session, "x");
  const events = await first.files.open(given.output_path, "watch", { after: 0 });
  await events.read();
  await events.close();
  await first.runtime.stop(1000);
  deepEqual([engine.running(), [...engine.held]], [[session.session_id], []]);

  const second = await open([engine], { rows: first.backend.reopen() });
  deepEqual([...engine.held], [session.session_id]);
  equal(await engine.sweep(), 0);
  const told = second.output(given);
  more.resolve();
  deepEqual((await told).map(({ data, exit_code }) => data ?? exit_code), ["before ", "behind", 0]);
  await second.ended(given);
  const result = await readJson<{ stdout: string }>(second.files, given.result_path);
  equal(result.stdout, "before behind");
  deepEqual(engine.begun, ["x"]);
  equal(JSON.parse(await second.ctl(session, "stop")).status, "complete");
});

test("a session whose container is gone has failed as interrupted, and its commands too", async (open) => {
  const engine = scripted(({ killed }) => untilKilled(killed));
  const first = await open([engine], { dies: true });
  const begin = async (kind: string): Promise<Accepted> => {
    const session = await first.begin({ kind, commands: kind === "build" ? ["x"] : [] });
    await first.until(session, "running");
    return session;
  };
  const [one, two] = [await begin("build"), await begin("interactive")];
  const given = await first.exec(two, "x");
  while (engine.begun.length < 2) await Promise.resolve();
  await first.runtime.stop(1000);
  for (const session of engine.running()) engine.lose(session);
  const second = await open([engine], { rows: first.backend.reopen() });
  for (const session of [one, two, given]) {
    equal((await second.ended(session)).error?.code, "interrupted");
  }
  deepEqual([...engine.held], []);
});

test("time goes on while nothing runs: who is over it is stopped at the start", async (open) => {
  const engine = scripted(({ killed }) => untilKilled(killed));
  const first = await open([engine], { dies: true });
  const session = await first.begin({ commands: ["x"], limits: { max_time_secs: 10 } });
  await first.until(session, "running");
  while (engine.begun.length === 0) await Promise.resolve();
  await first.runtime.stop(1000);
  const rows = first.backend.reopen();
  await rows.clock.advance(20_000);
  const second = await open([engine], { rows });
  await rows.clock.advance(0);
  equal((await second.ended(session)).error?.code, "timeout");
  deepEqual(engine.running(), []);
});

test("a session that waits for its turn begins after a restart", async (open) => {
  const engine = scripted(({ killed }) => untilKilled(killed));
  const first = await open([engine], { dies: true });
  await first.policy({ max_concurrent: 1 });
  const [one, two] = [
    await first.begin({ commands: ["1"] }),
    await first.begin({ commands: ["2"] }),
  ];
  await first.until(one, "running");
  while (engine.begun.length === 0) await Promise.resolve();
  await first.runtime.stop(1000);
  const second = await open([engine], { rows: first.backend.reopen() });
  await second.until(one, "running");
  equal((await second.until(two, "provisioning")).status, "provisioning");
  await second.ctl(one, "stop");
  await second.until(two, "running");
  while (engine.begun.length < 2) await Promise.resolve();
  await second.ctl(two, "stop");
  deepEqual(engine.begun, ["1", "2"]);
});

test("an agent from a file takes up no session: it is another's, or was never allowed here", async (open) => {
  const engine = scripted(({ killed }) => untilKilled(killed));
  const world = await open([engine]);
  await world.policy({ max_concurrent: 1 });
  const one = await world.begin({ kind: "interactive" });
  await world.until(one, "running");
  const given = await world.exec(one, "x");
  while (engine.begun.length === 0) await Promise.resolve();
  const waits = await world.begin({ commands: ["y"] });
  const other = agentId("other");
  const file = await Array.fromAsync(await world.runtime.exportAgent(ID));
  await world.runtime.importAgent(
    (async function* () {
      yield* file;
    })(),
    { id: other, mode: "restore" },
  );
  const files = await world.as("operator", other);
  for (const { status_path } of [one, given, waits]) {
    const { status, error } = await readJson<Status>(files, status_path);
    deepEqual([status, error?.code], ["failed", "interrupted"]);
    match(error!.message, /begun where the agent was exported/);
  }
  const there = `/containers/sessions/${one.session_id}`;
  await rejects(callText(files, `${there}/exec/new`, "z"), { code: "not_ready" });
  await callText(files, `${there}/ctl`, "stop");
  deepEqual([engine.running(), engine.begun], [[one.session_id], ["x"]]);
  const { day } = await readJson<UsageReport>(files, "/budget/usage");
  equal(day.reserved_micro_usd, 0);
  equal((await world.until(one, "running")).status, "running");
});
