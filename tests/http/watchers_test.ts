/** Watchers on real sockets, over a real runtime: those who do not read, those who have much to read, and as many as there may be. */
import { createAgentd } from "../../src/agentd.ts";
import { openLocal } from "../../src/backends/local/sqlite.ts";
import { agentId } from "../../src/core/id.ts";
import { createApp } from "../../src/http/app.ts";
import { MAX_WATCHER_CHARS, MAX_WATCHERS } from "../../src/http/events.ts";
import { createMetrics } from "../../src/http/metrics.ts";
import { memorySigner } from "../../src/providers/signer/memory.ts";
import assert from "../assert.ts";
import { serve } from "./served.ts";

const BOB = agentId("bob");
const REQUEST = (query: string) =>
  `GET /agents/bob/logs/trace${query} HTTP/1.1\r\nHost: localhost\r\n\r\n`;

/** Time that goes by as it does, but for timers of some length, which fire when they are told to. */
function clock(longMs: number) {
  const held = new Set<() => void>();
  return {
    now: Date.now,
    timer(delayMs: number, fire: () => void) {
      if (delayMs < longMs) {
        const timer = setTimeout(fire, delayMs);
        return () => clearTimeout(timer);
      }
      const run = () => {
        held.delete(run);
        fire();
      };
      held.add(run);
      return () => void held.delete(run);
    },
    fireHeld: () => [...held].forEach((run) => run()),
  };
}

async function world() {
  const slow = clock(5_000);
  const dir = await Deno.makeTempDir();
  const backend = await openLocal(dir);
  const metrics = createMetrics({ version: "test" });
  const runtime = await createAgentd({ backend, signer: memorySigner(), meter: metrics.meter });
  const stopping = new AbortController();
  const app = createApp({ runtime, auth: {}, clock: slow, stopping: stopping.signal, metrics });
  const server = serve(app);
  await runtime.create({ id: BOB, agent: "echo" });
  return {
    server,
    slow,
    async send(text: string): Promise<void> {
      const init = { method: "POST", body: text };
      const answer = await fetch(`${server.url}/agents/bob/send?wait=30`, init);
      const { tick } = await answer.json();
      assert.equal(tick.success, true);
    },
    /** The value of a metric without labels. */
    async count(name: string): Promise<number> {
      const text = await (await fetch(`${server.url}/metrics`)).text();
      return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)![1]);
    },
    connect: () => Deno.connect({ hostname: "127.0.0.1", port: server.port }),
    async close() {
      stopping.abort();
      await runtime.stop(1_000);
      await server.close();
      await backend.close();
      await Deno.remove(dir, { recursive: true });
    },
  };
}

const encoder = new TextEncoder();

/** Asks for a watch, and reads nothing but the beginning of the answer. */
async function watching(connection: Deno.TcpConn, query = ""): Promise<void> {
  await connection.write(encoder.encode(REQUEST(query)));
  const first = new Uint8Array(12);
  assert.equal(await connection.read(first), first.length);
  assert.equal(new TextDecoder().decode(first), "HTTP/1.1 200");
}

/** Everything that comes until the text is there. */
async function readUntil(connection: Deno.TcpConn, enough: RegExp): Promise<string> {
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(64 * 1024);
  let text = "";
  while (!enough.test(text.slice(-8_192))) {
    const n = await connection.read(buffer);
    assert.notEqual(n, null, "the connection ended before");
    text += decoder.decode(buffer.subarray(0, n!), { stream: true });
  }
  return text;
}

/** Numbers of events in what was sent, in the order in which they came. */
function seqs(text: string): number[] {
  return Array.from(text.matchAll(/^id: (\d+)\nevent: (?!dropped)/gm), ([, seq]) => Number(seq));
}

Deno.test("who does not read holds up no tick, is dropped with a last event, and goes on behind it", async () => {
  const { slow, send, count, connect, close } = await world();
  const stuck = await connect();
  await watching(stuck);
  // The trace tells short messages in full, twice a tick: more than a socket and the buffer hold.
  const text = "x".repeat(2_000);
  let rounds = 0;
  while (await count("agentd_sse_dropped_total") === 0) {
    await Promise.all(Array.from({ length: 100 }, () => send(text)));
    slow.fireHeld();
    assert.ok(rounds++ < 100, "it is never dropped");
  }
  await send("after");
  const told = await readUntil(stuck, /event: dropped\ndata: .*\n\n/);
  assert.match(told, /event: dropped\ndata: \{"code":"rate_limited"/);
  const seen = seqs(told);
  assert.deepEqual(seen, seen.map((_, i) => seen[0]! + i), "what it was given has no hole");
  stuck.close();
  while (await count("agentd_sse_watchers") > 0) await new Promise((r) => setTimeout(r));
  const again = await connect();
  await watching(again, `?after=${seen.at(-1)}`);
  const rest = seqs(await readUntil(again, /"text":"after"/));
  assert.equal(rest[0], seen.at(-1)! + 1);
  again.close();
  await close();
});

Deno.test("who has much to read is given all of it, however full the buffer gets", async () => {
  const { send, count, connect, close } = await world();
  const text = "x".repeat(2_000);
  const rounds = Math.ceil(6 * MAX_WATCHER_CHARS / (2 * text.length));
  await Promise.all(Array.from({ length: rounds }, () => send(text)));
  await send("the last one");
  const one = await connect();
  await watching(one, "?after=0");
  const all = await readUntil(one, /"text":"the last one"[^]*event: tick_end\ndata: .*\n\n/);
  const seen = seqs(all);
  assert.deepEqual(seen, seen.map((_, i) => 1 + i));
  assert.ok(all.length > 4 * MAX_WATCHER_CHARS);
  assert.equal(await count("agentd_sse_dropped_total"), 0);
  one.close();
  await close();
});

Deno.test("a thousand watchers get what happens, one more is refused, and who leaves makes room", async () => {
  const { send, count, connect, close } = await world();
  const all: Deno.TcpConn[] = [];
  for (let n = 0; n < MAX_WATCHERS; n++) {
    const one = await connect();
    await watching(one, "?tail=0");
    all.push(one);
  }
  assert.equal(await count("agentd_sse_watchers"), MAX_WATCHERS);
  const refused = await connect();
  await refused.write(encoder.encode(REQUEST("")));
  const answer = await readUntil(refused, /\}$/);
  assert.match(answer, /^HTTP\/1\.1 429 /);
  assert.match(answer, /retry-after: \d+/i);
  refused.close();
  await send("for everybody");
  await Promise.all(all.map((one) => readUntil(one, /"text":"for everybody"/)));
  all.pop()!.close();
  while (await count("agentd_sse_watchers") === MAX_WATCHERS) {
    await new Promise((resolve) => setTimeout(resolve));
  }
  const again = await connect();
  await watching(again);
  for (const one of [again, ...all]) one.close();
  while (await count("agentd_sse_watchers") > 0) await new Promise((r) => setTimeout(r));
  await close();
});
