/** What a request may cost, what is reserved for it, what it comes to, and that it never comes to more. */
import { type ErrorExtra, FileError } from "../../../src/fs/error.ts";
import { readJson, writeJson, writeText } from "../../../src/fs/use.ts";
import { deepEqual, equal, match, ok, rejects } from "../../assert.ts";
import { FREE, ONE, says, type Script, scripted, untilAborted, used } from "./scripted.ts";
import { chatOf, test, type World } from "./world.ts";

interface Usage {
  readonly day: { readonly reserved_micro_usd: number; readonly spent_micro_usd: number };
}
async function usage({ files }: World): Promise<[reserved: number, spent: number]> {
  const { day } = await readJson<Usage>(files, "/compute/usage");
  return [day.reserved_micro_usd, day.spent_micro_usd];
}
const input = (max_tokens?: number, more: object = {}) => ({
  ...chatOf("hi"),
  ...(max_tokens === undefined ? {} : { max_tokens }),
  ...more,
});
/** No token is less than a byte. */
const bytes = (value: object) => new TextEncoder().encode(JSON.stringify(value)).length;

test("what is free reserves nothing and needs no budget, and is counted in tokens", async (open) => {
  const made = await open([scripted("p", { script: says("hi", used(3, 1)) })], {
    request: { budgets: {} },
  });
  const { job, status } = await made.answered({ max_cost_micro_usd: 1_000_000 });
  deepEqual([status.reserved_micro_usd, status.cost_micro_usd], [0, 0]);
  const { cost_micro_usd, usage: tokens } = await made.result(job);
  deepEqual([cost_micro_usd, tokens], [0, used(3, 1)]);
  deepEqual(await usage(made), [0, 0]);
});

test("without a budget nothing that costs is asked", async (open) => {
  const p = scripted("p", { models: [{ id: "m", price: ONE }] });
  const { ask } = await open([p], { request: { budgets: {} } });
  await rejects(ask({ max_cost_micro_usd: 200 }), { code: "budget_exceeded" });
  equal(p.calls.length, 0);
});

test("what a request says is reserved while it runs, and what it came to is settled", async (open) => {
  const more = Promise.withResolvers<void>();
  const made = await open([
    scripted("p", {
      models: [{ id: "m", price: ONE }],
      script: async (call, sink, signal) => {
        await more.promise;
        return await says("hi", used(10, 5))(call, sink, signal);
      },
    }),
  ]);
  const job = await made.ask({ max_cost_micro_usd: 5_000 });
  deepEqual(await usage(made), [5_000, 0]);
  more.resolve();
  equal((await made.ended(job)).cost_micro_usd, 15);
  deepEqual(await usage(made), [0, 15]);
});

test("the most is given, else the policy's default, else computed from the request's own bounds", async (open) => {
  const p = scripted("p", { models: [{ id: "m", price: ONE, max_output_tokens: 500 }] });
  const { answered, files } = await open([p]);
  const reserved = async (request: object) => (await answered(request)).status.reserved_micro_usd;

  equal(await reserved({ max_cost_micro_usd: 7_777 }), 7_777);
  const computed = await reserved({ input: input() });
  const atMost = await reserved({ input: input(20) });
  // Bytes bound the tokens of the question; the answer's are those of the model, or of the request.
  ok(computed >= bytes(input()) + 500 && computed < bytes(input()) + 500 + 200, String(computed));
  ok(atMost >= bytes(input(20)) + 20 && atMost < bytes(input(20)) + 220, String(atMost));
  const twice = await reserved({ input: input(20, { n: 2 }) });
  ok(twice >= atMost + 20, `${twice}`);
  const completion = await reserved({ input: input(undefined, { max_completion_tokens: 20 }) });
  ok(completion < computed, `${completion}`);
  const long = await reserved({ input: { ...chatOf("x".repeat(9_000)), max_tokens: 20 } });
  ok(long > 9_000, `${long}`);
  const embedded = await reserved({ kind: "embeddings", input: { text: "x".repeat(1_000) } });
  ok(embedded >= 1_000 && embedded < 1_200, `${embedded}`);

  await writeJson(files, "/compute/policy", { default_max_cost_micro_usd: 4_444 });
  equal(await reserved({}), 4_444);
  equal(await reserved({ max_cost_micro_usd: 3_333 }), 3_333);
});

test("what has no bound is refused unless it is given one", async (open) => {
  const p = scripted("p", {
    models: [
      { id: "m", price: ONE },
      { id: "unknown", price: undefined, max_output_tokens: 10 },
      { id: "eye", price: ONE, max_output_tokens: 10, kinds: ["chat", "image_analyze"] },
    ],
  });
  const { answered, ask } = await open([p]);
  await rejects(ask(), { code: "max_cost_required", message: /max_tokens, or max_cost_micro_usd/ });
  await answered({ input: input(10) });
  const unpriced = ask({ model: "unknown" });
  await rejects(unpriced, { code: "max_cost_required", message: /price of p\/unknown/ });
  await rejects(ask({ model: "unknown", max_cost_micro_usd: 0 }), { code: "invalid_request" });
  const part = { type: "image_url", image_url: { url: "data:image/png;base64,AA==" } };
  const seen = { messages: [{ role: "user", content: [part] }], max_tokens: 10 };
  await rejects(ask({ model: "eye", input: seen }), { code: "max_cost_required" });
  await answered({ model: "eye", input: seen, max_cost_micro_usd: 5_000 });
});

test("of a price that is not known, all that was reserved counts as spent", async (open) => {
  const made = await open([
    scripted("p", { models: [{ id: "m", price: undefined }], script: says("hi", used(1, 1)) }),
  ]);
  const { job, status } = await made.answered({ max_cost_micro_usd: 500 });
  equal(status.cost_micro_usd, 500);
  equal((await made.result(job)).cost_micro_usd, 500);
  deepEqual(await usage(made), [0, 500]);
});

test("of a usage that is not told, or is none, all that was reserved counts as spent", async (open) => {
  const p = scripted("p", { models: [{ id: "m", price: ONE }] });
  const made = await open([p]);
  let spent = 0;
  for (const told of [undefined, used(-1, 1), used(0.5, 1), used(NaN, 1)]) {
    p.script = says("hi", told);
    const { job, status } = await made.answered({ max_cost_micro_usd: 500 });
    equal(status.cost_micro_usd, 500);
    equal((await made.result(job)).usage, undefined);
    deepEqual(await usage(made), [0, spent += 500]);
  }
});

test("a usage above what was reserved is settled as what was reserved", async (open) => {
  const made = await open([
    scripted("p", { models: [{ id: "m", price: ONE }], script: says("hi", used(400, 90_000)) }),
  ]);
  const { job, status } = await made.answered({ max_cost_micro_usd: 500 });
  equal(status.cost_micro_usd, 500);
  equal((await made.result(job)).cost_micro_usd, 500);
  deepEqual(await usage(made), [0, 500]);
});

test("a most that does not pay for the question is refused before anybody is asked", async (open) => {
  const p = scripted("p", { models: [{ id: "m", price: ONE, max_output_tokens: 10 }] });
  const { ask } = await open([p]);
  const refusal = await ask({ max_cost_micro_usd: 5 }).catch((error) => error);
  equal(refusal.code, "invalid_request");
  match(refusal.message, /\$0\.000005, and the question alone may cost \$/);
  equal(p.calls.length, 0);
});

test("the server is told how long an answer may become for the money, and no more than that", async (open) => {
  const p = scripted("p", { models: [{ id: "m", price: ONE, max_output_tokens: 100_000 }] });
  const { answered } = await open([p]);
  type Limits = { max_tokens?: number; max_completion_tokens?: number };
  const limits = async (input: object, max_cost_micro_usd: number) => {
    await answered({ input, max_cost_micro_usd });
    const { max_tokens, max_completion_tokens } = p.calls.at(-1)!.input as Limits;
    return [max_tokens, max_completion_tokens];
  };
  const [most] = await limits(input(), 1_000);
  ok(most! > 0 && most! < 1_000 - bytes(input()), `${most}`);
  deepEqual(await limits(input(5), 1_000), [5, undefined]);
  const [lower] = await limits(input(9_999), 1_000);
  ok(lower! <= most!, `${lower}`);
  const [none, completion] = await limits(
    input(undefined, { max_completion_tokens: 9_999 }),
    1_000,
  );
  deepEqual([none, completion! <= most!], [undefined, true]);
  const [half] = await limits(input(9_999, { n: 2 }), 1_000);
  ok(half! <= most! / 2, `${half}`);
  // All that the model can say is paid for: the request stays as it was.
  deepEqual(await limits(input(), 500_000), [undefined, undefined]);
});

test("an answer that goes on beyond the money is stopped at the provider, streamed or not", async (open) => {
  for (const stream of [true, false]) {
    for (const part of ["word ", "x".repeat(100_000)]) {
      const aborted = Promise.withResolvers<void>();
      let given = 0;
      const endless: Script = async (_call, sink, signal) => {
        signal.addEventListener("abort", () => aborted.resolve());
        while (true) {
          await sink.delta({ content: part });
          given++;
        }
      };
      const p = scripted("p", { models: [{ id: "m", price: ONE }], script: endless });
      const made = await open([p]);
      const { status } = await made.answered({ stream, max_cost_micro_usd: 400 });
      await aborted.promise;
      equal(status.status, "failed");
      equal(status.error!.code, "budget_exceeded");
      match(status.error!.message, /stopped.*max_cost_micro_usd/);
      ok(given <= 400, `${given}`);
      equal(p.calls.length, 1);
      equal(p.calls[0]!.stream, true);
      deepEqual(await usage(made), [0, 400]);
      await made.stop();
    }
  }
});

test("tool calls count in an answer's length too", async (open) => {
  const endless: Script = async (_call, sink) => {
    while (true) {
      const part = { index: 0, function: { arguments: "y".repeat(10_000) } };
      await sink.delta({ tool_calls: [part] });
    }
  };
  const p = scripted("p", { models: [{ id: "m", price: ONE }], script: endless });
  const { answered } = await open([p]);
  equal((await answered({ max_cost_micro_usd: 400 })).status.error!.code, "budget_exceeded");
});

test("what failed costs nothing where nobody was asked or sends a bill, else all that was reserved", async (open) => {
  const p = scripted("p", { models: [{ id: "m", price: ONE }] });
  const made = await open([p]);
  const failing = (code: FileError["code"], extra: ErrorExtra = {}, begin = false) => {
    p.script = async (_call, sink) => {
      if (begin) await sink.delta({ content: "half" });
      throw new FileError(code, "ask", "p", { extra: { retryable: false, ...extra } });
    };
  };
  const cost = async () => {
    const { status } = await made.answered({ max_cost_micro_usd: 500 });
    equal(status.status, "failed");
    return status.cost_micro_usd;
  };
  failing("provider_unavailable", { asked: false });
  equal(await cost(), 0);
  for (const code of ["rate_limited", "auth_required", "not_found", "invalid_request"] as const) {
    failing(code);
    equal(await cost(), 0, code);
  }
  failing("provider_unavailable", { status: 503 });
  equal(await cost(), 0);
  deepEqual(await usage(made), [0, 0]);
  failing("provider_unavailable");
  equal(await cost(), 500);
  failing("provider_unavailable", {}, true);
  equal(await cost(), 500);
  failing("rate_limited", { status: 429 }, true);
  equal(await cost(), 500);
  deepEqual(await usage(made), [0, 1_500]);
});

test("a cancelled call that was asked counts as all that was reserved; one that was not costs nothing", async (open) => {
  const asked = Promise.withResolvers<void>();
  const p = scripted("p", {
    models: [{ id: "m", price: ONE }],
    script: (_call, _sink, signal) => {
      asked.resolve();
      return untilAborted(signal);
    },
  });
  const made = await open([p]);
  await writeJson(made.files, "/compute/policy", { max_concurrent: 1 });
  const first = await made.ask({ max_cost_micro_usd: 500 });
  await asked.promise;
  await made.backend.clock.advance(1);
  const second = await made.ask({ max_cost_micro_usd: 300 });
  deepEqual(await usage(made), [800, 0]);
  for (const { job_id } of [second, first]) {
    await writeText(made.files, `/compute/jobs/${job_id}/ctl`, "cancel");
  }
  equal((await made.ended(second)).cost_micro_usd, 0);
  equal((await made.ended(first)).cost_micro_usd, 500);
  deepEqual(await usage(made), [0, 500]);
  equal(p.calls.length, 1);
});

test("a try that may have cost makes the whole unknown, though another one answered", async (open) => {
  let tries = 0;
  const p = scripted("p", {
    models: [{ id: "m", price: ONE }],
    script: async (call, sink, signal) => {
      if (tries++ === 0) throw new FileError("provider_unavailable", "ask", "p");
      return await says("hi", used(1, 1))(call, sink, signal);
    },
  });
  const { ask, backend, ended, result } = await open([p]);
  const job = await ask({ max_cost_micro_usd: 500 });
  while (p.calls.length < 2) await backend.clock.advance(500);
  equal((await ended(job)).cost_micro_usd, 500);
  equal((await result(job)).cost_micro_usd, 500);
});

test("a call above the threshold waits for a yes, reserves nothing until then, and passes once", async (open) => {
  const p = scripted("p", { models: [{ id: "m", price: ONE }], script: says("hi", used(1, 1)) });
  const policy = { per_day_micro_usd: 10_000, approval_threshold_micro_usd: 1_000, approvers: [] };
  const { answered, ask, files } = await open([p], {
    request: { budgets: { "/compute": policy } },
  });
  await answered({ max_cost_micro_usd: 1_000 });
  const dear = { max_cost_micro_usd: 2_000 };
  const refusal = await ask(dear).catch((error) => error);
  equal(refusal.code, "approval_required");
  equal(p.calls.length, 1);
  const { day } = await readJson<Usage>(files, "/compute/usage");
  equal(day.reserved_micro_usd, 0);
  const [question] = await readJson<{ id: string; amount_micro_usd: number }[]>(
    files,
    "/approvals/open",
  );
  equal(question!.amount_micro_usd, 2_000);
  await writeText(files, `/approvals/${question!.id}`, "approve");
  equal((await answered(dear)).status.cost_micro_usd, 2);
  await rejects(ask(dear), { code: "approval_required" });
});

test("of many at once no more pass than the budget pays for", async (open) => {
  const p = scripted("p", {
    models: [{ id: "m", price: ONE }, { id: "free", price: FREE }],
    script: says("hi", used(1, 1)),
  });
  const made = await open([p], {
    request: { budgets: { "/compute": { per_day_micro_usd: 1_000, approvers: [] } } },
  });
  const codes = await Promise.all(
    Array.from(
      { length: 10 },
      () => made.ask({ max_cost_micro_usd: 300 }).then(() => "ok", (e) => e.code),
    ),
  );
  equal(codes.filter((code) => code === "ok").length, 3);
  equal(codes.filter((code) => code === "budget_exceeded").length, 7);
  equal((await made.answered({ model: "free" })).status.status, "complete");
});
