/** A request becomes a session: answered at once, run to its end, read as files. */
import { FileError } from "../../../src/fs/error.ts";
import { callText, readJson, readText } from "../../../src/fs/use.ts";
import { deepEqual, equal, match, ok, rejects } from "../../assert.ts";
import { IMAGE, scripted } from "./scripted.ts";
import { ID, test, untilKilled } from "./world.ts";

test("new answers at once with where everything is, before anything has been started", async (open) => {
  const engine = scripted(({ killed }) => untilKilled(killed));
  const { begin, ctl, ended, files, until } = await open([engine]);
  const session = await begin({ commands: ["sleep"] });
  const at = `/containers/sessions/${session.session_id}`;
  deepEqual(session, {
    session_id: session.session_id,
    status: "provisioning",
    status_path: `${at}/status`,
    output_path: `${at}/output`,
    result_path: `${at}/result`,
  });
  await until(session, "running");
  await rejects(readText(files, session.result_path), {
    code: "not_ready",
    message: /the job is running; its status can be watched/,
  });
  deepEqual([...engine.held], [session.session_id]);
  equal(JSON.parse(await ctl(session, "stop")).status, "failed");
  const { status, error } = await ended(session);
  deepEqual([status, error?.code], ["failed", "interrupted"]);
  deepEqual([engine.running(), [...engine.held]], [[], []]);
});

test("commands run in order, and the session is told with all that they came to", async (open) => {
  const engine = scripted(async ({ text, print, env, workdir, killed: _ }) => {
    await print(`${text} in ${workdir} with ${env["A"]}\n`);
    await print("oh\n", "stderr");
    return 0;
  });
  const { begin, ended, output, result } = await open([engine]);
  const session = await begin({
    commands: ["one", ["two", "and a half"]],
    env: { A: "b" },
    workdir: "src",
    files: { "src/x": "y" },
  });
  const { status, image, error } = await ended(session);
  deepEqual([status, image, error], ["complete", IMAGE, null]);
  const told = await result(session);
  const out = ["one in src with b\n", "two and a half in src with b\n"];
  deepEqual(told.command_results.map(({ duration_ms: _, ...rest }) => rest), [
    { command: "one", exit_code: 0, stdout: out[0], stderr: "oh\n" },
    { command: ["two", "and a half"], exit_code: 0, stdout: out[1], stderr: "oh\n" },
  ]);
  deepEqual([told.stdout, told.stderr, told.exit_code], [out.join(""), "oh\noh\n", 0]);
  deepEqual([told.session_id, told.provider_id, told.cost_micro_usd, told.reserved_micro_usd], [
    session.session_id,
    "docker",
    0,
    0,
  ]);
  deepEqual(told.usage.cpu_time_ms, 5);
  deepEqual(
    (await output(session)).map(({ seq, stream, data, command, exit_code }) =>
      exit_code === undefined ? [seq, stream, data] : [seq, command, exit_code]
    ),
    [
      [1, "stdout", out[0]],
      [2, "stderr", "oh\n"],
      [3, 0, 0],
      [4, "stdout", out[1]],
      [5, "stderr", "oh\n"],
      [6, 1, 0],
    ],
  );
  deepEqual(engine.stopped, [session.session_id]);
});

test("the first command that fails is the last that runs, and the result says so", async (open) => {
  const engine = scripted(({ text }) => text === "two" ? 3 : 0);
  const { begin, ended, result } = await open([engine]);
  const session = await begin({ commands: ["one", "two", "three"] });
  const { status, error } = await ended(session);
  equal(status, "failed");
  match(error!.message, /command 2 of 3 ended with exit code 3; 1 behind it did not run/);
  const { exit_code, command_results } = await result(session);
  deepEqual([exit_code, command_results.length, engine.begun], [3, 2, ["one", "two"]]);
});

test("a session that is out of time is stopped and fails with timeout", async (open) => {
  const engine = scripted(async ({ print, killed }) => {
    await print("so far");
    return await untilKilled(killed);
  });
  const { backend, begin, ended, output, result } = await open([engine]);
  const session = await begin({ commands: ["loop"], limits: { max_time_secs: 2 } });
  const told = output(session);
  while (engine.begun.length === 0) await Promise.resolve();
  await backend.clock.advance(2_000);
  const { status, error } = await ended(session);
  deepEqual([status, error?.code, engine.stopped], ["failed", "timeout", [session.session_id]]);
  match(error!.message, /by limits\.max_time_secs, timeout_ms or max_cost_micro_usd/);
  const { exit_code, stdout, duration_ms } = await result(session);
  deepEqual([exit_code, stdout, duration_ms], [137, "so far", 2_000]);
  equal((await told)[0]!.data, "so far");
});

test("a session that is out of memory fails with that", async (open) => {
  const { begin, ended } = await open([scripted(() => ({ exit_code: 137, out_of_memory: true }))]);
  const { error } = await ended(await begin({ commands: ["eat"] }));
  equal(error?.code, "out_of_memory");
});

test("an interactive session waits: for its stop, which is its end, or for its time", async (open) => {
  const engine = scripted();
  const { backend, begin, ctl, ended, result, until } = await open([engine]);
  const one = await begin({ kind: "interactive", commands: ["set up"] });
  await until(one, "running");
  while (engine.begun.length === 0) await Promise.resolve();
  const two = await begin({ kind: "interactive", limits: { max_time_secs: 100 } });
  await until(two, "running");
  equal(JSON.parse(await ctl(one, "stop")).status, "complete");
  equal((await result(one)).command_results.length, 1);
  await backend.clock.advance(100_000);
  const { status, error } = await ended(two);
  deepEqual([status, error], ["expired", null]);
  deepEqual(engine.running(), []);
});

test("a deleted agent's containers end with it, at once, whatever runs in them", async (open) => {
  const engine = scripted(({ killed }) => untilKilled(killed));
  engine.heedsSignals = false;
  const { begin, exec, runtime, until } = await open([engine]);
  const one = await begin({ commands: ["for ever"] });
  const two = await begin({ kind: "interactive" });
  for (const session of [one, two]) await until(session, "running");
  await exec(two, "for ever");
  while (engine.begun.length < 2) await Promise.resolve();
  await runtime.delete(ID);
  deepEqual([engine.running(), [...engine.held]], [[], []]);
  deepEqual(engine.stopped.toSorted(), [one, two].map(({ session_id }) => session_id).toSorted());
});

test("a deleted agent's containers end also where the runtime was started anew", async (open) => {
  const engine = scripted(({ killed }) => untilKilled(killed));
  const first = await open([engine], { dies: true });
  const session = await first.begin({ kind: "interactive" });
  await first.until(session, "running");
  await first.runtime.stop(1000);
  deepEqual(engine.running(), [session.session_id]);
  const second = await open([engine], { rows: first.backend.reopen() });
  await second.runtime.delete(ID);
  deepEqual([engine.running(), [...engine.held]], [[], []]);
});

test("an interactive session whose container goes away fails", async (open) => {
  const engine = scripted();
  const { backend, begin, ended, until } = await open([engine]);
  const session = await begin({ kind: "interactive" });
  await until(session, "running");
  engine.lose(session.session_id);
  await backend.clock.advance(15_000);
  equal((await ended(session)).error?.code, "interrupted");
});

test("output that is no text is base64, and characters are whole across chunks", async (open) => {
  const bytes = new TextEncoder().encode("grün");
  const { begin, output, result } = await open([
    scripted(async ({ print }) => {
      await print(bytes.subarray(0, 3));
      await print(bytes.subarray(3));
      await print(Uint8Array.of(0xff, 0xfe));
      await print(Uint8Array.of(0xc3));
      return 0;
    }),
  ]);
  const session = await begin({ commands: ["x"] });
  const told = (await output(session)).filter(({ stream }) => stream);
  deepEqual(told.map(({ data, encoding }) => [data, encoding]), [
    ["gr", undefined],
    ["ün", undefined],
    ["//4=", "base64"],
    ["ww==", "base64"],
  ]);
  match((await result(session)).stdout, /^grün/);
});

test("what is in the result has a limit, and says where it was cut", async (open) => {
  const { begin, ended, result, files } = await open([
    scripted(async ({ print }) => {
      for (let i = 0; i < 40; i++) await print("x".repeat(64 * 1024));
      await print("the end");
      return 0;
    }),
  ]);
  const session = await begin({ commands: ["x"] });
  equal((await ended(session)).status, "complete");
  const { stdout, command_results } = await result(session);
  ok(stdout.length <= 1024 * 1024 + 100, `${stdout.length}`);
  match(stdout, /\[… 1572871 bytes left out here …\]/);
  ok(stdout.endsWith("the end"));
  ok(command_results[0]!.stdout.length < 66_000);
  const lines = (await readText(files, session.output_path)).trimEnd().split("\n");
  equal(lines.length, 42);
});

test("at most max_concurrent run at once, and the others wait for their turn", async (open) => {
  let most = 0;
  const engine = scripted();
  engine.script = async ({ print }) => {
    most = Math.max(most, engine.running().length);
    await print("x");
    return 0;
  };
  const { begin, ended } = await open([engine]);
  const sessions = await Promise.all(Array.from({ length: 20 }, () => begin({ commands: ["x"] })));
  for (const session of sessions) equal((await ended(session)).status, "complete");
  equal(most, 3);
});

test("the same key is the same session, and another request with it a conflict", async (open) => {
  const engine = scripted();
  const { begin, ended } = await open([engine]);
  const asked = { commands: ["x"], idempotency_key: "k" };
  const [one, two] = await Promise.all([begin(asked), begin(asked)]);
  deepEqual(one, two);
  await ended(one);
  deepEqual(await begin(asked), one);
  await rejects(begin({ ...asked, commands: ["y"] }), { code: "conflict" });
  equal(engine.started.length, 1);
});

test("an agent goes on with what has come of its session", async (open) => {
  const told: unknown[] = [];
  const engine = scripted(async ({ print }) => {
    await print("42");
    return 0;
  });
  const heard = Promise.withResolvers<void>();
  const { files } = await open([engine], {
    async onTrigger(ctx, trigger) {
      if (trigger.type === "message") {
        await ctx.env.call("/containers/new", { commands: ["x"] });
        return;
      }
      const { mount, status, result_path } = JSON.parse(JSON.stringify(trigger)).data;
      told.push([mount, status, (await ctx.env.readJson<{ stdout: string }>(result_path)).stdout]);
      heard.resolve();
    },
  });
  await callText(files, "/inbox", "go");
  await heard.promise;
  deepEqual(told, [["/containers", "complete", "42"]]);
});

test("an agent goes on with what has come of a command", async (open) => {
  const engine = scripted();
  const heard = Promise.withResolvers<unknown>();
  const { begin, exec, until } = await open([engine], {
    onTrigger(_ctx, trigger) {
      heard.resolve(JSON.parse(JSON.stringify(trigger)).data);
    },
  });
  const session = await begin({ kind: "interactive" });
  await until(session, "running");
  const given = await exec(session, { command: "x", notify: true });
  deepEqual(await heard.promise, {
    job_id: given.exec_id,
    status: "complete",
    mount: "/containers",
    result_path: given.result_path,
  });
});

test("a repository is put in before the commands, with a credential that is nowhere kept", async (open) => {
  const engine = scripted(({ files }) => files.has("README") ? 0 : 1);
  const { backend, begin, ended, policy, secrets } = await open([engine]);
  await secrets.set("TOKEN", { value: "very-secret-token", mounts: ["/containers"] });
  const repo = { url: "https://example.com/a.git", auth: { secret: "TOKEN" } };
  await rejects(begin({ commands: ["x"], repo }), { code: "permission_denied" });
  await policy({ allow_network: true });
  const session = await begin({ commands: ["x"], repo });
  equal((await ended(session)).status, "complete");
  deepEqual(engine.cloned, [{
    url: repo.url,
    git_ref: "HEAD",
    credential: { username: "x-access-token", password: "very-secret-token" },
  }]);
  const rows = [...backend.rows().values()].flatMap((rows) => [...rows.values()]);
  ok(rows.every((row) => !new TextDecoder().decode(row).includes("very-secret-token")));
});

test("an engine that cannot start it makes it fail, at no cost", async (open) => {
  const engine = scripted(() => 0, { price: { micro_usd_per_second: 10 } });
  engine.refusal = new FileError("provider_unavailable", "start", "x", {
    detail: "the daemon went away",
    extra: { asked: false },
  });
  const { begin, ended, files } = await open([engine]);
  const session = await begin({ commands: ["x"] });
  const { status, error, cost_micro_usd } = await ended(session);
  deepEqual([status, error?.code, cost_micro_usd], ["failed", "provider_unavailable", 0]);
  const usage = await readJson<{ day: { reserved_micro_usd: number; spent_micro_usd: number } }>(
    files,
    "/containers/usage",
  );
  deepEqual([usage.day.reserved_micro_usd, usage.day.spent_micro_usd], [0, 0]);
  await rejects(readText(files, session.result_path), { code: "provider_unavailable" });
  for (
    const code of ["not_found", "invalid_request", "provider_unavailable", "conflict"] as const
  ) {
    engine.refusal = new FileError(code, "start", "x", { detail: "it says no" });
    const { status, error, cost_micro_usd } = await ended(await begin({ commands: ["x"] }));
    deepEqual([status, error?.code, cost_micro_usd], ["failed", code, 0]);
  }
});
