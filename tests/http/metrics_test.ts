/** What is counted, by whom it may be read, and that Prometheus can read it. */
import { createAgentd } from "../../src/agentd.ts";
import { manualClock } from "../../src/backends/manual_clock.ts";
import { memoryBackend } from "../../src/backends/memory.ts";
import type { Agent } from "../../src/core/agent.ts";
import type { Backend } from "../../src/core/backend.ts";
import { digest } from "../../src/core/code.ts";
import { agentId, type EnvelopeId, type Timestamp } from "../../src/core/id.ts";
import type { Runtime } from "../../src/core/runtime.ts";
import type { ServiceMount } from "../../src/core/view.ts";
import { createApp } from "../../src/http/app.ts";
import { createMetrics } from "../../src/http/metrics.ts";
import { counter, gaugeText, histogram } from "../../src/http/prometheus.ts";
import { file, tree } from "../../src/fs/tree.ts";
import { callText } from "../../src/fs/use.ts";
import { memorySigner } from "../../src/providers/signer/memory.ts";
import assert from "../assert.ts";
import { LOCAL, TOKEN } from "./served.ts";

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{.*\})? (\S+)$/;
const LABELS = /^\{(?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\\\|\\"|\\n)*",?)*\}$/;

/** Samples by name and labels. Throws where the text is not what the format says. */
function parsed(text: string): Map<string, number> {
  const samples = new Map<string, number>();
  const types = new Map<string, string>();
  assert.ok(text.endsWith("\n"));
  let family = "";
  for (const line of text.slice(0, -1).split("\n")) {
    const [mark, word, name, ...rest] = line.split(" ");
    if (mark === "#") {
      assert.match(name!, NAME);
      if (word === "HELP") {
        assert.ok(rest.length > 0, line);
        continue;
      }
      assert.equal(word, "TYPE", line);
      assert.equal(types.has(name!), false, `${name} is told twice`);
      types.set(name!, rest[0]!);
      family = name!;
      continue;
    }
    const [, sample, labels, value] = SAMPLE.exec(line) ?? assert.fail(line);
    const suffixes = types.get(family) === "histogram" ? ["_bucket", "_sum", "_count"] : [""];
    assert.ok(suffixes.some((suffix) => sample === family + suffix), `${line} in ${family}`);
    if (labels) assert.match(labels, LABELS);
    assert.ok(Number.isFinite(Number(value)) || value === "+Inf", line);
    assert.equal(samples.has(sample! + (labels ?? "")), false, line);
    samples.set(sample! + (labels ?? ""), Number(value));
  }
  for (const [name, type] of types) {
    assert.match(name, /^agentd_|^t_/);
    assert.equal(name.endsWith("_total"), type === "counter", name);
  }
  return samples;
}

Deno.test("counters, gauges and histograms are written as Prometheus reads them", () => {
  const count = counter("t_total", 'A "count"\nof \\ things.', [{ kind: "a" }]);
  count.add({ kind: 'b"\\\n' });
  count.add({ kind: 'b"\\\n' }, 2);
  const times = histogram("t_seconds", "Times.", [0.1, 1]);
  for (const value of [0.05, 0.1, 0.5, 7]) times.observe(value);
  const text = count.text() + times.text() + gaugeText("t_none", "None.", [[{}, undefined]]) +
    gaugeText("t_now", "Now.", [[{}, 1.5]]);
  assert.equal(
    text,
    '# HELP t_total A "count"\\nof \\\\ things.\n# TYPE t_total counter\n' +
      't_total{kind="a"} 0\nt_total{kind="b\\"\\\\\\n"} 3\n' +
      "# HELP t_seconds Times.\n# TYPE t_seconds histogram\n" +
      't_seconds_bucket{le="0.1"} 2\nt_seconds_bucket{le="1"} 3\nt_seconds_bucket{le="+Inf"} 4\n' +
      "t_seconds_sum 7.65\nt_seconds_count 4\n" +
      "# HELP t_now Now.\n# TYPE t_now gauge\nt_now 1.5\n",
  );
  parsed(text);
});

const failing: Agent = {
  name: "failing",
  onTrigger(_ctx, trigger) {
    if (trigger.type === "message" && trigger.text === "fail") throw new Error("as asked");
  },
};

/** A call takes a while, may cost 60 and costs 25. */
let sells = Promise.withResolvers<void>();
const shop: ServiceMount = {
  access: "budgeted",
  service: (view) =>
    tree(
      file({
        async call() {
          const order = { mount: "/shop", path: "/shop", request: null };
          const terms = { maxCostMicroUsd: 60, reason: "buys something" };
          await view.outside.perform(order, () => Promise.resolve(terms), async () => {
            await sells.promise;
            return { answer: null, costMicroUsd: 25 };
          });
          return "bought";
        },
      }),
      view.viewer,
    ),
};

interface World {
  readonly runtime: Runtime;
  readonly backend: Backend;
  readonly clock: ReturnType<typeof manualClock>;
  scrape(): Promise<Map<string, number>>;
  text(): Promise<string>;
  ask(path: string, init?: RequestInit, peer?: typeof LOCAL): Promise<Response>;
}

async function world(wrap = (backend: Backend) => backend): Promise<World> {
  const clock = manualClock(Date.UTC(2026, 0, 2));
  const backend = wrap(memoryBackend(clock));
  let ms = 0;
  const metrics = createMetrics({
    version: "1.2.3",
    clockMs: () => ms += 4,
    process: () => ({ residentBytes: 1e6, cpuSeconds: 0.5 }),
  });
  const runtime = await createAgentd({
    backend,
    signer: memorySigner(),
    agents: { failing },
    services: { "/shop": shop },
    meter: metrics.meter,
  });
  const app = createApp({ runtime, auth: { tokenDigest: digest(TOKEN) }, clock, metrics });
  const ask: World["ask"] = (path, init, peer = LOCAL) =>
    app(new Request(`http://localhost${path}`, init), peer);
  const text = async () => await (await ask("/metrics")).text();
  return { runtime, backend, clock, ask, text, scrape: async () => parsed(await text()) };
}

const BOB = agentId("bob");
const message = (text: string, id?: string) => ({
  payload: { kind: "text" as const, text },
  ...(id === undefined ? {} : { id: id as EnvelopeId }),
});
const source = { kind: "http", principal: "local" } as const;

Deno.test("ticks and envelopes are counted by what became of them", async () => {
  const { runtime, scrape, clock } = await world();
  const limits = { retry_ms: [1_000] };
  await runtime.create({ id: BOB, agent: "failing", limits });
  const send = (text: string, id?: string) => runtime.deliver(BOB, message(text, id), source);
  await send("hi", "one");
  await send("hi", "one");
  await clock.advance(0);
  await send("fail");
  await clock.advance(2_000);
  await runtime.pauseAll();
  const expires_at = clock.now() + 500 as Timestamp;
  await runtime.deliver(BOB, { ...message("late"), metadata: { expires_at } }, source);
  await clock.advance(1_000);
  await runtime.resumeAll();
  await clock.advance(0);
  const seen = await scrape();
  const outcome = (name: string) => seen.get(`agentd_ticks_total{outcome="${name}"}`);
  const disposition = (name: string) => seen.get(`agentd_envelopes_total{disposition="${name}"}`);
  assert.equal(outcome("committed"), 1);
  assert.equal(outcome("rolled_back"), 2, "the first try and the second");
  assert.equal(outcome("timeout"), 0);
  assert.equal(disposition("queued"), 3);
  assert.equal(disposition("duplicate"), 1);
  assert.equal(disposition("given_up"), 1);
  assert.equal(disposition("expired"), 1);
  assert.equal(disposition("refused"), 0);
  assert.equal(seen.get("agentd_tick_duration_seconds_count"), 3);
  assert.ok(seen.get('agentd_commits_total{result="ok"}')! > 5);
  assert.equal(
    seen.get("agentd_commit_duration_seconds_count"),
    seen.get('agentd_commits_total{result="ok"}')! +
      seen.get('agentd_commits_total{result="failed"}')!,
  );
  await runtime.stop(0);
});

Deno.test("a full inbox is told: refused, dropped, or dead at once", async () => {
  const { runtime, scrape } = await world();
  await runtime.create({ id: BOB, agent: "failing" });
  await runtime.pauseAll();
  const files = await runtime.files(BOB, { viewer: "operator", name: "operator" });
  const policy = async (policy: string) => {
    const handle = await files.open("/inbox/overflow", "write");
    const value = { max_depth: 1, policy, dead_letter_max: 1 };
    await handle.write(new TextEncoder().encode(JSON.stringify(value)));
    await handle.close();
  };
  const send = (text: string) => runtime.deliver(BOB, message(text), source).catch(() => {});
  await policy("reject_new");
  await send("waits");
  await send("refused");
  await policy("drop_oldest");
  await send("drops the first");
  await policy("dead_letter");
  await send("dead");
  const seen = await scrape();
  const disposition = (name: string) => seen.get(`agentd_envelopes_total{disposition="${name}"}`);
  assert.deepEqual(["queued", "refused", "dropped", "dead_letter"].map(disposition), [2, 1, 1, 1]);
  assert.equal(seen.get("agentd_inbox_depth"), 1);
  assert.equal(seen.get("agentd_paused"), 1);
  await runtime.stop(0);
});

Deno.test("requests are counted by route, method and status, whatever path or method is made up", async () => {
  const { runtime, ask, text } = await world();
  const id = "an-id-that-nobody-should-see";
  await runtime.create({ id: agentId(id), agent: "echo" });
  const asked: [string, string][] = [
    ["GET", `/agents/${id}`],
    ["GET", `/agents/${id}/status`],
    ["POST", `/agents/${id}/send`],
    ["GET", "/agents/nobody-at-all/status"],
    ["GET", "/made/up/path"],
    ["PURGE", "/agents"],
    ["POST", "/hooks/made-up-name"],
  ];
  for (const [method, path] of asked) await (await ask(path, { method })).body?.cancel();
  const told = await text();
  const seen = parsed(told);
  const requests = (route: string, method: string, status: number) =>
    seen.get(
      `agentd_http_requests_total{route="${route}",method="${method}",status="${status}"}`,
    );
  assert.equal(requests("/agents/{id}", "GET", 200), 1);
  assert.equal(requests("/agents/{id}/{path}", "GET", 200), 1);
  assert.equal(requests("/agents/{id}/send", "POST", 202), 1);
  assert.equal(requests("/agents/{id}/{path}", "GET", 404), 1);
  assert.equal(requests("none", "GET", 404), 1);
  assert.equal(requests("/agents", "other", 405), 1);
  assert.equal(requests("/hooks/{name}", "POST", 401), 1);
  for (const word of [id, "nobody-at-all", "made", "PURGE"]) {
    assert.ok(!told.includes(word), word);
  }
  await runtime.stop(0);
});

Deno.test("who may see the runtime may see its counts, and nobody else", async () => {
  const { runtime, ask } = await world();
  const far = { local: false, transport: "tcp", address: "203.0.113.9" } as const;
  const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });
  const { token } = await runtime.tokens.create({ agents: [BOB], can: "operate" });
  for (const path of ["/runtime/status", "/metrics"]) {
    assert.equal((await ask(path, {}, far)).status, 401, path);
    assert.equal((await ask(path, bearer(TOKEN), far)).status, 200, path);
    assert.equal((await ask(path, bearer(token), far)).status, 403, path);
    assert.equal((await ask(path)).status, 200, path);
  }
  const answer = await ask("/metrics");
  assert.equal(
    answer.headers.get("content-type"),
    "text/plain; version=0.0.4; charset=utf-8",
  );
  const seen = parsed(await answer.text());
  assert.equal(seen.get('agentd_build_info{version="1.2.3"}'), 1);
  assert.equal(seen.get("agentd_process_resident_memory_bytes"), 1e6);
  assert.equal(seen.get("agentd_process_cpu_seconds_total"), 0.5);
  assert.equal(seen.has("agentd_process_start_time_seconds"), false, "what nobody knows");
  await runtime.stop(0);
});

Deno.test("money is counted when it is paid, and told while it is reserved", async () => {
  const { runtime, scrape, clock } = await world();
  const budgets = { "/shop": { per_day_micro_usd: 1_000, approvers: [] } };
  const seen = async () => {
    const samples = await scrape();
    const of = (name: string) => samples.get(name);
    return [of("agentd_reserved_micro_usd"), of('agentd_spent_micro_usd_total{mount="/shop"}')];
  };
  assert.deepEqual(await seen(), [0, 0], "there from the beginning");
  await runtime.create({ id: BOB, agent: "echo", budgets });
  const files = await runtime.files(BOB, { viewer: "operator", name: "ann" });
  sells = Promise.withResolvers();
  const bought = [1, 2].map(() => callText(files, "/shop", ""));
  while ((await seen())[0] !== 120) await clock.advance(0);
  assert.deepEqual(await seen(), [120, 0]);
  sells.resolve();
  await Promise.all(bought);
  assert.deepEqual(await seen(), [0, 50]);
  await runtime.stop(0);
});

Deno.test("the document names every metric that there is, and none that there is not", async () => {
  const { runtime, text } = await world();
  const told = await Deno.readTextFile(new URL("../../docs/observability.md", import.meta.url));
  await text();
  const own = Array.from((await text()).matchAll(/^# TYPE (\S+)/gm), ([, name]) => name!);
  const named = Array.from(told.matchAll(/`(agentd_[a-z_*]+)`/g), ([, name]) => name!);
  const fits = (pattern: string, name: string) =>
    pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
  for (const name of own) assert.ok(named.some((pattern) => fits(pattern, name)), name);
  for (const pattern of named) assert.ok(own.some((name) => fits(pattern, name)), pattern);
  await runtime.stop(0);
});

Deno.test("agents that sleep are counted and not visited", async () => {
  const touched = new Set<string>();
  const { runtime, scrape, clock } = await world((backend) => ({
    ...backend,
    storage(owner) {
      touched.add(owner);
      return backend.storage(owner);
    },
  }));
  for (const id of ["a", "b", "c"]) await runtime.create({ id: agentId(id), agent: "echo" });
  await clock.advance(10 * 60_000);
  assert.equal((await runtime.status()).in_memory, 0);
  await runtime.deliver(agentId("a"), message("hi"), source);
  await clock.advance(0);
  touched.clear();
  const seen = await scrape();
  assert.deepEqual([...touched], []);
  assert.equal(seen.get("agentd_agents"), 3);
  assert.equal(seen.get('agentd_agents_in_memory{state="active"}'), 1);
  assert.equal(seen.get('agentd_agents_in_memory{state="dormant"}'), 0);
  await runtime.stop(0);
});
