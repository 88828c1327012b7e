/** Commands that are given to a session that runs. */
import { readJson, readText, watch } from "../../../src/fs/use.ts";
import { FileError } from "../../../src/fs/error.ts";
import { deepEqual, equal, match, ok, rejects } from "../../assert.ts";
import { type Program, type Script, scripted } from "./scripted.ts";
import { type Given, type Output, test, untilKilled } from "./world.ts";

/** Says what it is told, with its standard input; `wait` never ends. */
const shell: Script = async ({ text, stdin, env, print, killed }: Program) => {
  if (text === "wait") {
    await print("waiting");
    return await untilKilled(killed);
  }
  await print(`${text}|${stdin ? new TextDecoder().decode(stdin) : ""}|${env["A"] ?? ""}`);
  return text === "fail" ? 7 : 0;
};

interface ExecResult {
  readonly exec_id: string;
  readonly exit_code: number;
  readonly stdout: string;
  readonly stderr: string;
}

test("a command is run in the session, and told with what it came to", async (open) => {
  const { begin, ctl, exec, ended, files, output, until } = await open([scripted(shell)]);
  const session = await begin({ kind: "interactive", env: { A: "session's" } });
  await until(session, "running");
  const one = await exec(session, "say this");
  const at = `/containers/sessions/${session.session_id}/exec/${one.exec_id}`;
  deepEqual(one, {
    exec_id: one.exec_id,
    status: "pending",
    status_path: `${at}/status`,
    output_path: `${at}/output`,
    result_path: `${at}/result`,
  });
  equal((await ended(one)).status, "complete");
  const { duration_ms: _, ...told } = await readJson<ExecResult & { duration_ms: number }>(
    files,
    one.result_path,
  );
  deepEqual(told, {
    exec_id: one.exec_id,
    exit_code: 0,
    stdout: "say this||session's",
    stderr: "",
  });
  const two = await exec(session, { command: ["fail"], stdin: "in", env: { A: "own" } });
  equal((await ended(two)).status, "complete");
  const failed = await readJson<ExecResult>(files, two.result_path);
  deepEqual([failed.exit_code, failed.stdout], [7, "fail|in|own"]);
  deepEqual(
    (await output(two)).map(({ data, exit_code, exec_id }) => [data ?? exit_code, exec_id]),
    [
      ["fail|in|own", two.exec_id],
      [7, two.exec_id],
    ],
  );
  const listed = await files.list(`/containers/sessions/${session.session_id}/exec`);
  deepEqual(listed.map(({ name }) => name), [one.exec_id, two.exec_id, "new"]);
  await rejects(readText(files, session.result_path), {
    code: "not_ready",
    message: /the job is running; its status can be watched/,
  });
  await ctl(session, "stop");
  equal((await output(session)).length, 4);
  deepEqual((await output(two)).map(({ seq }) => seq), [3, 4]);
  const lines = (await readText(files, two.output_path)).trimEnd().split("\n");
  deepEqual(lines.map((line) => JSON.parse(line).seq), [3, 4]);
});

test("who watches a command sees its output as it comes, and an end as it ends", async (open) => {
  const more = Promise.withResolvers<void>();
  const { begin, exec, files, until } = await open([
    scripted(async ({ print }) => {
      await print("name? ");
      await more.promise;
      await print("ok");
      return 0;
    }),
  ]);
  const session = await begin({ kind: "interactive" });
  await until(session, "running");
  const given = await exec(session, "ask");
  const events = await watch<Output>(files, given.output_path, { after: 0 });
  equal((await events.next()).value?.data, "name? ");
  more.resolve();
  const rest = await Array.fromAsync(events);
  deepEqual(rest.map(({ data, exit_code }) => data ?? exit_code), ["ok", 0]);
});

test("cancel ends a command, and the session goes on", async (open) => {
  const engine = scripted(shell);
  const { begin, ctl, exec, ended, files, output, until } = await open([engine]);
  const session = await begin({ kind: "interactive" });
  await until(session, "running");
  const given = await exec(session, "wait");
  const told = output(given);
  await until(given, "running");
  while (engine.begun.length === 0) await Promise.resolve();
  equal(JSON.parse(await ctl(session, "cancel", given)).status, "cancelled");
  deepEqual(engine.signals, [`${given.exec_id} KILL`]);
  deepEqual((await told).map(({ data, exit_code }) => data ?? exit_code), ["waiting", 137]);
  const { exit_code, stdout } = await readJson<ExecResult>(files, given.result_path);
  deepEqual([exit_code, stdout], [137, "waiting"]);
  equal((await ended(await exec(session, "more"))).status, "complete");
});

test("what cannot be ended ends with its session", async (open) => {
  const engine = scripted(shell);
  engine.heedsSignals = false;
  const { backend, begin, exec, ended, until } = await open([engine]);
  const session = await begin({ kind: "interactive" });
  await until(session, "running");
  const given = await exec(session, { command: "wait", timeout_ms: 1_000 });
  while (engine.begun.length === 0) await Promise.resolve();
  await backend.clock.advance(1_000);
  await backend.clock.advance(5_000);
  const { status, error } = await ended(session);
  equal(status, "failed");
  match(error!.message, /could not be ended/);
  equal((await ended(given)).error?.code, "timeout");
  deepEqual(engine.running(), []);
});

test("a command whose output can be seen by nobody any more is ended, and told with why", async (open) => {
  const engine = scripted(shell);
  const { begin, exec, ended, until } = await open([engine]);
  const session = await begin({ kind: "interactive" });
  await until(session, "running");
  const run = engine.exec;
  for (const code of ["interrupted", "out_of_memory"] as const) {
    const lost = new FileError(code, "run", "x", { detail: "what carries its output was ended" });
    engine.exec = (id, spec, how) =>
      run(id, spec, { ...how, take: () => Promise.reject(lost) }).then(() => Promise.reject(lost));
    const given = await exec(session, "wait");
    const { status, error } = await ended(given);
    deepEqual([status, error?.code], ["failed", code]);
    equal(engine.signals.at(-1), `${given.exec_id} KILL`);
  }
  engine.exec = run;
  equal((await ended(await exec(session, "more"))).status, "complete");
  equal((await until(session, "running")).status, "running");
});

test("a command has a time of its own", async (open) => {
  const engine = scripted(shell);
  const { backend, begin, exec, ended, until } = await open([engine]);
  const session = await begin({ kind: "interactive" });
  await until(session, "running");
  const given = await exec(session, { command: "wait", timeout_ms: 1_000 });
  while (engine.begun.length === 0) await Promise.resolve();
  await backend.clock.advance(1_000);
  const { status, error } = await ended(given);
  deepEqual([status, error?.code], ["failed", "timeout"]);
  match(error!.message, /ask for more by timeout_ms$/);
  equal((await until(session, "running")).status, "running");
});

test("signals go to the command, by name, and to one that runs", async (open) => {
  const engine = scripted(shell);
  engine.heedsSignals = false;
  const { begin, ctl, exec, ended, until } = await open([engine]);
  const session = await begin({ kind: "interactive" });
  await until(session, "running");
  const given = await exec(session, "wait");
  while (engine.begun.length === 0) await Promise.resolve();
  await ctl(session, "signal INT", given);
  await ctl(session, "signal SIGUSR1", given);
  deepEqual(engine.signals, [`${given.exec_id} INT`, `${given.exec_id} USR1`]);
  for (const word of ["signal NONE", "signal", "stop", "kill"]) {
    await rejects(ctl(session, word, given), { code: "invalid_request", message: /takes cancel/ });
  }
  engine.heedsSignals = true;
  await ctl(session, "signal TERM", given);
  const { status } = await ended(given);
  equal(status, "complete");
  await ctl(session, "signal TERM", given);
  equal(engine.signals.length, 3);
});

test("commands that come before the session runs wait for it, and end with it where it never does", async (open) => {
  const engine = scripted(shell);
  const { begin, ctl, exec, ended, files, policy, until } = await open([engine]);
  await policy({ max_concurrent: 1 });
  const first = await begin({ kind: "interactive" });
  const early = await exec(first, "at once");
  equal((await ended(early)).status, "complete");
  equal((await readJson<ExecResult>(files, early.result_path)).stdout, "at once||");
  const [second, third] = [await begin({ kind: "interactive" }), await begin({ commands: ["z"] })];
  const [waits, never] = [await exec(second, "in time"), await exec(third, "never")];
  equal((await readJson<{ status: string }>(files, waits.status_path)).status, "pending");
  equal(JSON.parse(await ctl(third, "stop")).status, "failed");
  const { status, error } = await ended(never);
  deepEqual([status, error?.code], ["failed", "interrupted"]);
  await ctl(first, "stop");
  equal((await ended(waits)).status, "complete");
  await until(second, "running");
  deepEqual(engine.begun, ["at once", "in time"]);
});

test("what is wrong with a command is said in words", async (open) => {
  const { begin, exec, until } = await open([scripted(shell)]);
  const session = await begin({ kind: "interactive" });
  await until(session, "running");
  const wrong: [object, RegExp][] = [
    [{ cmd: "x" }, /command: a command is a text, or a list/],
    [{ command: "x", env: { "A-B": "" } }, /env\.A-B: a name is of letters, digits and _/],
    [{ command: "x", env: { A: 1 } }, /env\.A: .*expected string/],
  ];
  for (const [request, message] of wrong) {
    await rejects(exec(session, request), { code: "invalid_request", message });
  }
  await rejects(begin({ kind: "else" }), { message: /one of ephemeral, interactive, build/ });
});

test("a session that has ended takes no command", async (open) => {
  const engine = scripted();
  const { begin, ctl, exec, until } = await open([engine]);
  const session = await begin({ kind: "interactive" });
  await until(session, "running");
  await ctl(session, "stop");
  await rejects(exec(session, "x"), { code: "not_ready", message: /is complete/ });
  await rejects(exec({ ...session, session_id: "none" }, "x"), { code: "not_found" });
});

test("commands end with their session", async (open) => {
  const engine = scripted(shell);
  const { begin, ctl, exec, ended, output, until } = await open([engine]);
  const session = await begin({ kind: "interactive" });
  await until(session, "running");
  const given = await exec(session, "wait");
  const told = output(given);
  while (engine.begun.length === 0) await Promise.resolve();
  await ctl(session, "stop");
  const { status, error } = await ended(given);
  deepEqual([status, error?.code], ["failed", "interrupted"]);
  ok((await told).every(({ type }) => type !== "exit"));
});

test("many commands at once do not mix", async (open) => {
  const { begin, exec, ended, output, until, files } = await open([scripted(shell)]);
  const session = await begin({ kind: "interactive" });
  await until(session, "running");
  const all: Given[] = await Promise.all(
    Array.from({ length: 40 }, (_, i) => exec(session, `number ${i}`)),
  );
  for (const [i, given] of all.entries()) {
    await ended(given);
    equal((await readJson<ExecResult>(files, given.result_path)).stdout, `number ${i}||`);
    deepEqual((await output(given)).map(({ data, exit_code }) => data ?? exit_code), [
      `number ${i}||`,
      0,
    ]);
  }
});

test("a command's key makes it one command", async (open) => {
  const engine = scripted(shell);
  const { begin, exec, ended, until } = await open([engine]);
  const session = await begin({ kind: "interactive" });
  await until(session, "running");
  const asked = { command: "once", idempotency_key: "k" };
  const one = await exec(session, asked);
  await ended(one);
  deepEqual(await exec(session, asked), one);
  deepEqual(engine.begun, ["once"]);
});
