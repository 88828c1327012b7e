/** A request becomes a job: answered at once, run to its end, read as files. */
import type { Json } from "../../../src/core/envelope.ts";
import { callText, exists, readJson, readText, watch, writeText } from "../../../src/fs/use.ts";
import { deepEqual, equal, match, ok, rejects } from "../../assert.ts";
import { ONE, says, scripted, untilAborted, used } from "./scripted.ts";
import { type Chunk, test } from "./world.ts";

type Told = Chunk & { readonly type: string };

test("new answers at once with where everything is, before the model has said a word", async (open) => {
  const silent = scripted("p", { script: (_call, _sink, signal) => untilAborted(signal) });
  const { ask, files, ended } = await open([silent]);
  const job = await ask();
  const at = `/compute/jobs/${job.job_id}`;
  deepEqual(job, {
    job_id: job.job_id,
    status: "pending",
    status_path: `${at}/status`,
    stream_path: `${at}/stream`,
    result_path: `${at}/result`,
  });
  await rejects(readText(files, job.result_path), { code: "not_ready", message: /watched/ });
  await writeText(files, `${at}/ctl`, "cancel");
  equal((await ended(job)).status, "cancelled");
});

test("an answer is told with its output, usage, cost, time, provider and model", async (open) => {
  const { answered, backend, result } = await open([
    scripted("p", {
      models: [{ id: "m", price: ONE, max_output_tokens: 100 }],
      script: async (call, sink, signal) => {
        await backend.clock.advance(1234);
        return await says("hello there", used(7, 2))(call, sink, signal);
      },
    }),
  ]);
  const { job, status } = await answered();
  deepEqual(await result(job), {
    job_id: job.job_id,
    output: { text: "hello there", finish_reason: "stop" },
    usage: used(7, 2),
    cost_micro_usd: 9,
    latency_ms: 1234,
    provider_id: "p",
    model: "m",
  });
  equal(status.status, "complete");
  equal(status.cost_micro_usd, 9);
  equal(status.provider_id, "p");
  equal(status.error, null);
  ok(status.started_at !== null && status.ended_at !== null);
});

test("a stream gives each part once, in order, and ends with the finish reason and the usage", async (open) => {
  const { answered, chunks, files } = await open([
    scripted("p", { script: says("one two three", used(1, 3)) }),
  ]);
  const { job } = await answered({ stream: true });
  const all = await chunks(job);
  deepEqual(all.map(({ seq }) => seq), [1, 2, 3, 4]);
  deepEqual(all.map(({ delta }) => delta.content), ["one ", "two ", "three", undefined]);
  ok(all.every(({ job_id }) => job_id === job.job_id));
  ok(all.slice(0, 3).every(({ finish_reason }) => finish_reason === undefined));
  equal(all[3]!.finish_reason, "stop");
  deepEqual(all[3]!.usage, used(1, 3));
  deepEqual((await chunks(job, 2)).map(({ seq }) => seq), [3, 4]);
  const lines = (await readText(files, job.stream_path)).trimEnd().split("\n");
  deepEqual(lines.map((line) => JSON.parse(line)), all);
});

test("who watches while it runs gets the same chunks as who comes later", async (open) => {
  const more = Promise.withResolvers<void>();
  const { as, ask, chunks, files } = await open([
    scripted("p", {
      async script(call, sink) {
        await sink.delta({ content: "a" });
        await more.promise;
        await sink.delta({ content: "b" });
        const output = { text: "ab", finish_reason: "stop" };
        return { output, usage: undefined, model: call.model };
      },
    }),
  ]);
  const job = await ask({ stream: true });
  const early = await watch<Told>(files, job.stream_path, { after: 0 });
  const first = (await early.next()).value!;
  equal(first.delta.content, "a");
  equal((await readJson<{ status: string }>(files, job.status_path)).status, "streaming");
  const late = await watch<Told>(await as("local"), job.stream_path, { after: first.seq });
  more.resolve();
  const rest = await Array.fromAsync(early);
  deepEqual(await Array.fromAsync(late), rest);
  deepEqual([first, ...rest], await chunks(job));
  equal(rest.at(-1)!.finish_reason, "stop");
});

test("a provider that cannot stream, and a request that does not want it, give one chunk", async (open) => {
  const { answered, chunks } = await open([
    scripted("mute", {
      script: (call, sink, signal) => says("one two")({ ...call, stream: false }, sink, signal),
    }),
    scripted("p", { models: [{ id: "n" }], script: says("one two") }),
  ]);
  for (const request of [{ stream: true }, { model: "n", stream: false }]) {
    const { job } = await answered(request);
    const all = await chunks(job);
    equal(all.length, 1);
    deepEqual(all[0]!.delta, { content: "one two" });
    equal(all[0]!.finish_reason, "stop");
  }
});

test("tool calls come as parts with an index, and whole in the result", async (open) => {
  const tool_calls = [{
    id: "c1",
    type: "function" as const,
    function: { name: "read", arguments: '{"path":"/status"}' },
  }];
  const { answered, chunks, result } = await open([
    scripted("p", {
      script: (call) => {
        const output = { text: "", tool_calls, finish_reason: "tool_calls" };
        return Promise.resolve({ output, usage: undefined, model: call.model });
      },
    }),
  ]);
  const { job } = await answered({ stream: true });
  const [only] = await chunks(job);
  deepEqual(only!.delta, { tool_calls: [{ index: 0, ...tool_calls[0] }] });
  equal(only!.finish_reason, "tool_calls");
  deepEqual((await result(job)).output, { text: "", tool_calls, finish_reason: "tool_calls" });
});

test("embeddings, completions and a provider's own kind go through as they are", async (open) => {
  const provider = scripted("p", {
    models: [{ id: "m", kinds: ["chat", "complete", "embeddings", "custom:rank"] }],
    script: (call) => {
      const output = call.kind === "embeddings"
        ? { embeddings: [[1, 2]] }
        : { of: call.input as Json };
      return Promise.resolve({ output, usage: undefined, model: "m-2026" });
    },
  });
  const { answered, chunks, result } = await open([provider]);
  const embedded = (await answered({ kind: "embeddings", input: { texts: ["a"] } })).job;
  deepEqual((await result(embedded)).output, { embeddings: [[1, 2]] });
  equal((await result(embedded)).model, "m-2026");
  equal((await chunks(embedded))[0]!.finish_reason, "stop");
  const own = { anything: [1, null] };
  const ranked = (await answered({ kind: "custom:rank", input: own })).job;
  deepEqual((await result(ranked)).output, { of: own });
  const bare = (await answered({ kind: "custom:rank", input: null })).job;
  deepEqual((await result(bare)).output, { of: null });
  await answered({ kind: "complete", input: { prompt: "x", top_p: 0.5 } });
  deepEqual(provider.calls.at(-1)!.input, { prompt: "x", top_p: 0.5 });
});

test("what does not fit the shape of a request is refused with where", async (open) => {
  const provider = scripted("p");
  const { ask, files } = await open([provider]);
  const wrong: [object, RegExp][] = [
    [{ model: "" }, /model/],
    [{ kind: "sing" }, /kind/],
    [{ input: {} }, /input: messages/],
    [{ input: { messages: [] } }, /input: messages/],
    [{ input: { messages: [{ role: "king", content: "x" }] } }, /input: messages\.0\.role/],
    [{ kind: "complete", input: { messages: [] } }, /input: prompt/],
    [{ kind: "embeddings", input: {} }, /input/],
    [{ max_cost_micro_usd: 0.5 }, /max_cost_micro_usd/],
    [{ max_cost_micro_usd: -1 }, /max_cost_micro_usd/],
    [{ timeout_ms: 0 }, /timeout_ms/],
    [{ idempotency_key: "" }, /idempotency_key/],
    [{ wish: 1 }, /wish/],
  ];
  for (const [request, message] of wrong) {
    await rejects(ask(request), { code: "invalid_request", message }, JSON.stringify(request));
  }
  await rejects(callText(files, "/compute/new", "{"), { code: "invalid_request" });
  const deep = `{"model":"m","kind":"custom:x","input":${"[".repeat(9_999)}${"]".repeat(9_999)}}`;
  await rejects(callText(files, "/compute/new", deep), {
    code: "invalid_request",
    message: /deep/,
  });
  equal(provider.calls.length, 0);
  deepEqual(await files.list("/compute/jobs"), []);
});

test("cancel ends the call at the provider, and its job is cancelled", async (open) => {
  const aborted = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const { ask, chunks, ended, files } = await open([
    scripted("p", {
      script: async (_call, sink, signal) => {
        signal.addEventListener("abort", () => aborted.resolve());
        await sink.delta({ content: "a" });
        begun.resolve();
        return await untilAborted(signal);
      },
    }),
  ]);
  const job = await ask({ stream: true });
  await begun.promise;
  const ctl = `/compute/jobs/${job.job_id}/ctl`;
  await rejects(writeText(files, ctl, "stop"), { code: "invalid_request", message: /cancel/ });
  deepEqual(JSON.parse(await callText(files, ctl, "cancel\n")), { status: "cancelled" });
  await aborted.promise;
  equal((await ended(job)).status, "cancelled");
  const ends = (await chunks(job)).map(({ finish_reason }) => finish_reason);
  deepEqual(ends, [undefined, "cancelled"]);
  await rejects(readText(files, job.result_path), { code: "not_found", message: /cancelled/ });
  await writeText(files, ctl, "cancel");
});

test("a provider that does not heed its signal holds nothing up", async (open) => {
  const { ask, ended, files } = await open([
    scripted("p", { script: () => new Promise(() => {}) }),
  ]);
  const job = await ask();
  await writeText(files, `/compute/jobs/${job.job_id}/ctl`, "cancel");
  equal((await ended(job)).status, "cancelled");
});

test("a call that takes longer than its time ends as a timeout, and its own time goes before the policy's", async (open) => {
  const asked = Promise.withResolvers<void>();
  const { ask, backend, chunks, ended, files } = await open([
    scripted("p", {
      script: (_call, _sink, signal) => {
        asked.resolve();
        return untilAborted(signal);
      },
    }),
  ]);
  await writeText(files, "/compute/policy", JSON.stringify({ default_timeout_ms: 60_000 }));
  const job = await ask({ timeout_ms: 1_000 });
  await asked.promise;
  await backend.clock.advance(1_000);
  const { error, status } = await ended(job);
  equal(status, "failed");
  equal(error!.code, "timeout");
  deepEqual((await chunks(job)).map(({ finish_reason }) => finish_reason), ["error"]);
  await rejects(readText(files, job.result_path), { code: "timeout" });
  const slow = await ask();
  await backend.clock.advance(59_999);
  equal((await readJson<{ status: string }>(files, slow.status_path)).status, "running");
  await backend.clock.advance(1);
  equal((await ended(slow)).error!.code, "timeout");
});

test("a job that ends tells its agent, unless it was asked not to", async (open) => {
  const told: unknown[] = [];
  const arrived = Promise.withResolvers<void>();
  const { answered, result } = await open([scripted("p")], {
    onTrigger(_ctx, trigger) {
      told.push(trigger);
      arrived.resolve();
    },
  });
  await answered({ notify: false });
  const { job } = await answered({ notify: true });
  await arrived.promise;
  equal(told.length, 1);
  const text = JSON.stringify(told[0]);
  match(text, new RegExp(`job:${job.job_id}:done`));
  match(text, new RegExp(job.result_path));
  match(text, /"status":"complete"/);
  await result(job);
});

test("an agent asks in its tick, goes on with what came of it in a later one, and reads the answer", async (open) => {
  const answers: string[] = [];
  const over = Promise.withResolvers<void>();
  const { tick } = await open([scripted("p", { script: says("forty-two") })], {
    async onTrigger(ctx, trigger) {
      const path = /\/compute\/jobs\/[^"/]+\/result/.exec(JSON.stringify(trigger))?.[0];
      if (path) {
        const { output } = await ctx.env.readJson<{ output: { text: string } }>(path);
        answers.push(output.text);
        over.resolve();
        return;
      }
      await ctx.env.call("/compute/new", {
        model: "m",
        kind: "chat",
        input: { messages: [{ role: "user", content: "what?" }] },
      });
    },
  });
  await tick();
  await over.promise;
  deepEqual(answers, ["forty-two"]);
});

test("a job belongs to its agent: another agent's id is not found", async (open) => {
  const { answered, as, runtime } = await open([scripted("p")]);
  await runtime.create({ id: "b" as never, agent: "subject" });
  const { job } = await answered();
  const other = await as("operator", "b");
  for (const path of [job.status_path, job.stream_path, job.result_path]) {
    await rejects(readText(other, path), { code: "not_found" });
  }
  const ctl = writeText(other, `/compute/jobs/${job.job_id}/ctl`, "cancel");
  await rejects(ctl, { code: "not_found" });
  equal(await exists(other, `/compute/jobs/${job.job_id}`), false);
  deepEqual(await other.list("/compute/jobs"), []);
});

test("jobs are listed in pages, each a directory of four files; a status is watched", async (open) => {
  const more = Promise.withResolvers<void>();
  const { ask, answered, files } = await open([
    scripted("p"),
    scripted("q", {
      models: [{ id: "slow" }],
      script: async (call, sink, signal) => {
        await more.promise;
        return await says("at last")(call, sink, signal);
      },
    }),
  ]);
  const ids = [];
  for (let i = 0; i < 3; i++) ids.push((await answered()).job.job_id);
  const all = (await files.list("/compute/jobs")).map(({ name }) => name);
  deepEqual(all, ids.toSorted());
  const page = await files.list("/compute/jobs", { after: all[0]!, limit: 1 });
  deepEqual(page.map(({ name, dir }) => [name, dir]), [[all[1], true]]);
  const names = (await files.list(`/compute/jobs/${all[0]}`)).map(({ name }) => name);
  deepEqual(names, ["ctl", "result", "status", "stream"]);

  const job = await ask({ model: "slow", stream: true });
  const states = await watch<{ type: string; status: string }>(files, job.status_path);
  more.resolve();
  const seen: string[] = [];
  for await (const { status } of states) {
    seen.push(status);
    if (status === "complete") break;
  }
  deepEqual(seen.slice(-2), ["streaming", "complete"]);
});

test("a job's time begins as it is asked, not while it waits for its turn", async (open) => {
  const p = scripted("p", { script: (_call, _sink, signal) => untilAborted(signal) });
  const { ask, backend, ended, files } = await open([p]);
  await writeText(files, "/compute/policy", JSON.stringify({ max_concurrent: 1 }));
  const first = await ask({ timeout_ms: 1_000 });
  await backend.clock.advance(1);
  const second = await ask({ timeout_ms: 1_000 });
  await backend.clock.advance(999);
  equal((await ended(first)).error!.code, "timeout");
  await backend.clock.advance(999);
  equal((await readJson<{ status: string }>(files, second.status_path)).status, "running");
  await backend.clock.advance(1);
  equal((await ended(second)).error!.code, "timeout");
});
