/** Which spans there are, and how they and what is sent hang together. */
import { createAgentd } from "../../src/agentd.ts";
import { manualClock } from "../../src/backends/manual_clock.ts";
import { memoryBackend } from "../../src/backends/memory.ts";
import type { Agent } from "../../src/core/agent.ts";
import { agentId } from "../../src/core/id.ts";
import type { Runtime } from "../../src/core/runtime.ts";
import {
  parseTraceparent,
  type SpanContext,
  type SpanStart,
  traceparentOf,
  type Tracer,
} from "../../src/core/tracer.ts";
import { createApp } from "../../src/http/app.ts";
import { memorySigner } from "../../src/providers/signer/memory.ts";
import assert from "../assert.ts";
import { LOCAL } from "./served.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const PARENT = `00-${TRACE}-b7ad6b7169203331-01`;

interface Kept {
  readonly name: string;
  readonly of: SpanStart;
  readonly context: SpanContext;
  readonly set: Record<string, unknown>;
  ended: unknown[];
}

/** Keeps every span, with ids that are counted. */
function keeping(): { readonly tracer: Tracer; readonly spans: Kept[]; one(name: string): Kept } {
  const spans: Kept[] = [];
  const id = (n: number, digits: number) => String(n).padStart(digits, "0");
  return {
    spans,
    one(name) {
      const found = spans.filter((span) => span.name === name);
      assert.equal(found.length, 1, name);
      return found[0]!;
    },
    tracer: {
      start(name, of) {
        const n = spans.length + 1;
        const traceId = of.parent?.traceId ?? id(n, 32);
        const context = { traceId, spanId: id(n, 16), sampled: true };
        const span: Kept = { name, of, context, set: {}, ended: [] };
        spans.push(span);
        return {
          context,
          set: (key, value) => void (span.set[key] = value),
          end: (error) => void span.ended.push(error),
        };
      },
    },
  };
}

/** Asks its own files, then tells the next one. */
const asking: Agent = {
  name: "asking",
  async onTrigger(ctx, trigger) {
    if (trigger.type !== "message") return;
    if (trigger.text === "fail") await ctx.env.call("/kv/none", "x");
    if (ctx.agent.id === "two") return;
    await ctx.env.call("/identity/verify", {}).catch(() => {});
    await ctx.send("two", "hello");
  },
};

async function world(tracer?: Tracer) {
  const clock = manualClock();
  const runtime = await createAgentd({
    backend: memoryBackend(clock),
    signer: memorySigner(),
    agents: { asking },
    ...(tracer ? { tracer } : {}),
  });
  for (const id of ["one", "two"]) await runtime.create({ id: agentId(id), agent: "asking" });
  const app = createApp({ runtime, auth: {}, clock, ...(tracer ? { tracer } : {}) });
  const post = (path: string, init: RequestInit = {}) =>
    app(new Request(`http://localhost${path}`, { method: "POST", ...init }), LOCAL);
  return { runtime, clock, post };
}

/** The metadata of what waits for an agent. */
async function waiting(runtime: Runtime, id: string): Promise<unknown> {
  const files = await runtime.files(agentId(id), { viewer: "operator", name: "operator" });
  const [first] = await files.list("/inbox/");
  const handle = await files.open(`/inbox/${first!.name}`, "read");
  return JSON.parse(new TextDecoder().decode(await handle.read())).metadata;
}

Deno.test("a request, its calls, the tick, the tick's calls and the next one's tick are one trace", async () => {
  const { tracer, spans, one } = keeping();
  const { runtime, clock, post } = await world(tracer);
  await (await post("/agents/one/send", { headers: { traceparent: PARENT } })).text();
  await clock.advance(0);
  await clock.advance(0);
  const request = one("POST /agents/{id}/send");
  assert.deepEqual(request.of.parent, parseTraceparent(PARENT));
  assert.equal(request.of.kind, "server");
  assert.equal(request.set["http.response.status_code"], 202);
  assert.deepEqual(one("call /inbox").of.parent, request.context);
  const [tick, next] = spans.filter(({ name }) => name === "tick");
  assert.deepEqual(tick!.of.parent, request.context);
  assert.deepEqual(tick!.of.links, [request.context]);
  assert.equal(tick!.of.attributes!["agentd.trace_id"], TRACE);
  assert.equal(tick!.set["agentd.outcome"], "committed");
  const call = one("call /identity");
  assert.deepEqual(call.of.parent, tick!.context);
  assert.equal(call.of.attributes!["agentd.path"], "/identity/verify");
  assert.equal((call.ended[0] as { code: string }).code, "invalid_request");
  assert.equal(next!.of.attributes!["agentd.agent"], "two");
  assert.deepEqual(next!.of.links, [request.context], "what an agent sends belongs to the trace");
  for (const span of spans) {
    assert.equal(span.context.traceId, TRACE, span.name);
    assert.ok(span.ended.length > 0, `${span.name} has ended`);
    assert.doesNotMatch(span.name, /one|two/, "no ids in names");
  }
  await runtime.stop(0);
});

Deno.test("a tick that fails and one that nobody sent say so", async () => {
  const { tracer, spans } = keeping();
  const { runtime, clock, post } = await world(tracer);
  await (await post("/agents/two/send", { body: "fail" })).text();
  await clock.advance(0);
  const failed = spans.find(({ name }) => name === "tick")!;
  assert.equal(failed.set["agentd.outcome"], "rolled_back");
  assert.ok(failed.ended[0]);
  const tried = post("/agents/one/tick");
  await clock.advance(0);
  await (await tried).text();
  const manual = spans.filter(({ name }) => name === "tick").at(-1)!;
  assert.equal(manual.of.parent, undefined);
  assert.equal(manual.of.attributes!["agentd.source"], "manual");
  await runtime.stop(0);
});

Deno.test("where nobody traces, the caller's trace goes with the message, unless the message has its own", async () => {
  const { runtime, post } = await world();
  await runtime.pauseAll();
  const send = async (id: string, init: RequestInit) => {
    assert.equal((await post(`/agents/${id}/send`, init)).status, 202);
    return await waiting(runtime, id);
  };
  const headers = { traceparent: PARENT, "content-type": "application/json" };
  assert.deepEqual(await send("one", { headers }), {
    trace_id: TRACE,
    extra: { traceparent: PARENT },
  });
  const metadata = { trace_id: "mine", extra: { a: 1 } };
  const body = JSON.stringify({ payload: "x", metadata });
  assert.deepEqual(await send("two", { headers, body }), {
    trace_id: "mine",
    extra: { a: 1, traceparent: PARENT },
  });
  for (const metadata of [1, [], "x", { extra: "text" }, { trace_id: 7 }]) {
    const body = JSON.stringify({ payload: "x", metadata });
    assert.equal((await post("/agents/one/send", { headers, body })).status, 400);
  }
  await runtime.stop(0);
});

Deno.test("a message without any trace stays without one", async () => {
  const { runtime, post } = await world();
  await runtime.pauseAll();
  const headers = { traceparent: "00-none" };
  await (await post("/agents/one/send", { headers })).text();
  assert.deepEqual(await waiting(runtime, "one"), {});
  await runtime.stop(0);
});

Deno.test("traceparent is read as the standard says", () => {
  const context = { traceId: TRACE, spanId: "b7ad6b7169203331", sampled: true };
  assert.deepEqual(parseTraceparent(PARENT), context);
  assert.equal(traceparentOf(context), PARENT);
  assert.equal(parseTraceparent(PARENT.replace(/01$/, "00"))!.sampled, false);
  assert.equal(parseTraceparent(PARENT.replace(/01$/, "03"))!.sampled, true);
  assert.deepEqual(parseTraceparent(`cc-${PARENT.slice(3)}-what-the-future-has`), context);
  for (
    const text of [
      "",
      undefined,
      7,
      PARENT.toUpperCase(),
      `${PARENT}-more`,
      PARENT.replace("00-", "ff-"),
      PARENT.replace(TRACE, "0".repeat(32)),
      PARENT.replace("b7ad6b7169203331", "0".repeat(16)),
      PARENT.slice(1),
      `cc-${PARENT.slice(3)}${"x".repeat(600)}`,
    ]
  ) assert.equal(parseTraceparent(text), undefined, String(text));
});
