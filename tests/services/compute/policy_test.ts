/** The policy: what it forbids and demands, who may change it, and what a refusal leaves behind: nothing. */
import { readJson, watch, writeJson, writeText } from "../../../src/fs/use.ts";
import { deepEqual, equal, match, rejects } from "../../assert.ts";
import { ONE, scripted, untilAborted } from "./scripted.ts";
import { ID, test, type World } from "./world.ts";

const DEFAULT = {
  allowed_providers: ["*"],
  allowed_models: ["*"],
  blocked_models: [],
  require_max_cost: false,
  default_timeout_ms: 120_000,
  prefer: "balanced",
  require_idempotency: false,
  max_concurrent: 4,
};

const policy = (files: World["files"], change: object) =>
  writeJson(files, "/compute/policy", change);

test("the default blocks nothing; a write changes what it names, and null gives a field its default", async (open) => {
  const { files } = await open([]);
  const read = () => readJson(files, "/compute/policy");
  deepEqual(await read(), DEFAULT);
  await policy(files, { blocked_models: ["gpt-*"], max_cost_micro_usd_per_day: 5 });
  await policy(files, { prefer: "cost" });
  deepEqual(await read(), {
    ...DEFAULT,
    blocked_models: ["gpt-*"],
    max_cost_micro_usd_per_day: 5,
    prefer: "cost",
  });
  await policy(files, { blocked_models: null, max_cost_micro_usd_per_day: null, prefer: null });
  deepEqual(await read(), DEFAULT);
});

test("a policy that is none is refused with what is wrong, and changes nothing", async (open) => {
  const { files } = await open([]);
  const wrong: [unknown, RegExp][] = [
    [[], /object/],
    [{ prefer: "cheap" }, /prefer/],
    [{ max_concurrent: 0 }, /max_concurrent/],
    [{ allowed_models: "gpt" }, /allowed_models/],
    [{ allowed_models: [""] }, /allowed_models/],
    [{ default_max_cost_micro_usd: 0.5 }, /default_max_cost_micro_usd/],
    [{ default_timeout_ms: 0 }, /default_timeout_ms/],
    [{ wish: 1 }, /wish/],
  ];
  for (const [value, message] of wrong) {
    await rejects(policy(files, value as object), { code: "invalid_request", message });
  }
  deepEqual(await readJson(files, "/compute/policy"), DEFAULT);
});

test("agents and local callers read the policy, and only operators write it", async (open) => {
  let refusal: unknown;
  const { as, files, tick } = await open([], {
    async onTrigger(ctx) {
      await ctx.env.readJson("/compute/policy");
      refusal = await ctx.env.write("/compute/policy", { prefer: "cost" }).catch((e) => e);
    },
  });
  await tick();
  equal((refusal as { code: string }).code, "permission_denied");
  const local = await as("local");
  deepEqual(await readJson(local, "/compute/policy"), DEFAULT);
  await rejects(policy(local, { prefer: "cost" }), { code: "permission_denied" });
  deepEqual(await readJson(files, "/compute/policy"), DEFAULT);
});

test("a policy outlives a restart, is watched, and is guarded by its version", async (open) => {
  const { backend, files, runtime, stop } = await open([]);
  const changes = await watch<{ type: string }>(files, "/compute/policy");
  const { version } = await files.stat("/compute/policy");
  // The same row, and no other policy.
  await runtime.configure(ID, { name: "renamed" }, "operator");
  await writeJson(files, "/compute/policy", { prefer: "cost" }, { match: version! });
  equal((await changes.next()).value!.type, "modified");
  const late = writeJson(files, "/compute/policy", { prefer: "latency" }, { match: version! });
  await rejects(late, { code: "precondition_failed" });
  await stop();
  const again = await open([], { rows: backend.reopen() });
  equal((await readJson<typeof DEFAULT>(again.files, "/compute/policy")).prefer, "cost");
});

test("what the policy forbids is refused with the rule that does", async (open) => {
  const p = scripted("p", { models: [{ id: "gpt-5" }, { id: "gpt-5-mini" }, { id: "llama" }] });
  const q = scripted("q", { models: [{ id: "llama" }] });
  const { answered, ask, files } = await open([p, q]);
  const denied = (model: string, message: RegExp) =>
    rejects(ask({ model }), { code: "permission_denied", message });

  await policy(files, { allowed_models: ["gpt-*"], blocked_models: ["*-mini"] });
  await denied("gpt-5-mini", /blocked_models has "\*-mini"/);
  await denied("llama", /allowed_models \(gpt-\*\)/);
  await denied("p/gpt-5-mini", /blocked/);
  // Nor is it told whether there is a model that is forbidden.
  await denied("other-mini", /blocked/);
  await answered({ model: "gpt-5" });

  await policy(files, { allowed_models: ["*"], blocked_models: ["p/*"] });
  await denied("gpt-5", /p\/gpt-5 is blocked/);
  const { status } = await answered({ model: "llama" });
  equal(status.provider_id, "q");

  await policy(files, { blocked_models: [], allowed_providers: ["q?"] });
  await denied("llama", /provider p is not among the allowed_providers \(q\?\)/);
  await policy(files, { allowed_providers: [] });
  await denied("llama", /none/);
});

test("a pattern of a policy matches text of any length with *, and one character with ?", async (open) => {
  const names = ["a", "ab", "abc", "aXbXc"];
  const { ask, files } = await open([scripted("p", { models: names.map((id) => ({ id })) })]);
  const allowedBy = async (pattern: string) => {
    await policy(files, { allowed_models: [pattern] });
    const found = [];
    for (const model of names) {
      if (await ask({ model }).then(() => true, () => false)) found.push(model);
    }
    return found;
  };
  deepEqual(await allowedBy("a?"), ["ab"]);
  deepEqual(await allowedBy("a*c"), ["abc", "aXbXc"]);
  deepEqual(await allowedBy("*b*"), ["ab", "abc", "aXbXc"]);
  deepEqual(await allowedBy("p/*"), names);
  deepEqual(await allowedBy("?/a"), ["a"]);
  deepEqual(await allowedBy("a.c"), []);
  deepEqual(await allowedBy("*a*b*c*d*"), []);
});

test("a key is demanded where the policy says so, and the same key is the same job", async (open) => {
  const provider = scripted("p");
  const { ask, ended, files } = await open([provider]);
  await policy(files, { require_idempotency: true });
  await rejects(ask(), { code: "idempotency_required", message: /idempotency_key/ });
  const first = await ask({ idempotency_key: "k" });
  await ended(first);
  // Whatever policy says by now.
  await policy(files, { allowed_models: [] });
  deepEqual(await ask({ idempotency_key: "k" }), first);
  await rejects(ask({ idempotency_key: "k", model: "other" }), { code: "conflict" });
  equal(provider.calls.length, 1);
});

test("of two at once with one key one runs, and both get its answer", async (open) => {
  const provider = scripted("p");
  const { ask, ended } = await open([provider]);
  const [a, b] = await Promise.all([ask({ idempotency_key: "k" }), ask({ idempotency_key: "k" })]);
  deepEqual(a, b);
  await ended(a);
  equal(provider.calls.length, 1);
});

test("a most is demanded where the policy says so, and its default is one", async (open) => {
  const { ask, files } = await open([scripted("p")]);
  await policy(files, { require_max_cost: true });
  await rejects(ask(), { code: "max_cost_required", message: /max_cost_micro_usd/ });
  await ask({ max_cost_micro_usd: 10 });
  await policy(files, { default_max_cost_micro_usd: 10 });
  await ask();
});

test("the policy's own limits hold beside the budget, by tick and by day", async (open) => {
  const held = scripted("p", {
    models: [{ id: "m", price: ONE }],
    script: (_call, _sink, signal) => untilAborted(signal),
  });
  const tried: (string | undefined)[][] = [];
  const { ask, files, tick } = await open([held], {
    async onTrigger(ctx) {
      const codes = [];
      for (let i = 0; i < 3; i++) {
        const request = {
          model: "m",
          kind: "chat",
          input: { messages: [{ role: "user", content: `${i}` }] },
          max_cost_micro_usd: 1_000,
          notify: false,
        };
        codes.push(await ctx.env.call("/compute/new", request).then(() => "ok", (e) => e.code));
      }
      tried.push(codes);
    },
  });
  await policy(files, { max_cost_micro_usd_per_tick: 2_000, max_cost_micro_usd_per_day: 5_000 });
  await tick();
  await tick();
  deepEqual(tried, [["ok", "ok", "budget_exceeded"], ["ok", "ok", "budget_exceeded"]]);
  // A caller is in no tick; of several at once no more pass than fit into the day.
  const codes = await Promise.all(
    Array.from({ length: 3 }, (_, i) => i).map((i) =>
      ask({ max_cost_micro_usd: 1_000, timeout_ms: 1_000 + i }).then(() => "ok", (e) => e.code)
    ),
  );
  deepEqual(codes.toSorted(), ["budget_exceeded", "budget_exceeded", "ok"]);
  const late = await ask({ max_cost_micro_usd: 1_000 }).catch((error) => error);
  match(late.message, /policy's limit a day is \$0\.005.*max_cost_micro_usd_per_day/);
});

test("a refusal leaves no job and no reservation", async (open) => {
  const { ask, files } = await open([
    scripted("p", { models: [{ id: "m", price: ONE }, { id: "blocked" }] }),
  ]);
  await policy(files, { blocked_models: ["blocked"], max_cost_micro_usd_per_day: 500 });
  for (
    const [code, request] of [
      ["not_found", { model: "none" }],
      ["permission_denied", { model: "blocked" }],
      ["not_supported", { kind: "speak", input: {} }],
      ["max_cost_required", {}],
      ["invalid_request", { max_cost_micro_usd: 0 }],
      ["budget_exceeded", { max_cost_micro_usd: 501 }],
      ["budget_exceeded", { max_cost_micro_usd: 2_000_000 }],
    ] as const
  ) await rejects(ask(request), { code }, JSON.stringify(request));
  deepEqual(await files.list("/compute/jobs"), []);
  const { tick, day } = await readJson<Record<string, { reserved_micro_usd: number }>>(
    files,
    "/compute/usage",
  );
  equal(tick!.reserved_micro_usd + day!.reserved_micro_usd, 0);
});

test("no more than max_concurrent are asked at a time; the others wait, in the order of their ids", async (open) => {
  let inside = 0, most = 0;
  const order: string[] = [];
  const waiting: (() => void)[] = [];
  const arrived = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const { ask, backend, ended, files } = await open([
    scripted("p", {
      script: async (call) => {
        most = Math.max(most, ++inside);
        order.push(call.job_id);
        arrived[order.length - 1]?.resolve();
        await new Promise<void>((resolve) => waiting.push(resolve));
        inside--;
        return { output: {}, usage: undefined, model: call.model };
      },
    }),
  ]);
  await policy(files, { max_concurrent: 2 });
  const jobs = [];
  for (let i = 0; i < 6; i++) {
    jobs.push(await ask({ timeout_ms: 1_000_000 + i }));
    await backend.clock.advance(1);
  }
  await Promise.all(arrived.map(({ promise }) => promise));
  const states = [];
  for (const { status_path } of jobs) {
    states.push((await readJson<{ status: string }>(files, status_path)).status);
  }
  deepEqual(states, ["running", "running", "pending", "pending", "pending", "pending"]);
  const goOn = async () => {
    while (order.length < 6 || waiting.length > 0) {
      waiting.shift()?.();
      await backend.clock.advance(0);
    }
  };
  await goOn();
  for (const job of jobs) equal((await ended(job)).status, "complete");
  equal(most, 2);
  deepEqual(order, jobs.map(({ job_id }) => job_id));
});

test("a wider limit lets waiting jobs in at once, and one that waits is cancelled without being asked", async (open) => {
  const provider = scripted("p", {
    script: (_call, _sink, signal) => untilAborted(signal),
  });
  const { ask, backend, ended, files } = await open([provider]);
  await policy(files, { max_concurrent: 1 });
  const jobs = [];
  for (let i = 0; i < 3; i++) {
    jobs.push(await ask({ timeout_ms: 1_000_000 + i }));
    await backend.clock.advance(1);
  }
  equal(provider.calls.length, 1);
  await writeText(files, `/compute/jobs/${jobs[1]!.job_id}/ctl`, "cancel");
  const { started_at, status } = await ended(jobs[1]!);
  deepEqual([status, started_at], ["cancelled", null]);
  await policy(files, { max_concurrent: 2 });
  await backend.clock.advance(0);
  deepEqual(provider.calls.map(({ job_id }) => job_id), [jobs[0]!.job_id, jobs[2]!.job_id]);
});
