/** Large answers and bodies: nobody who stalls, leaves or breaks off keeps an agent, a copy or an id for himself. */
import { createAgentd } from "../../src/agentd.ts";
import { manualClock } from "../../src/backends/manual_clock.ts";
import { type MemoryBackend, memoryBackend } from "../../src/backends/memory.ts";
import { digest } from "../../src/core/code.ts";
import { agentId } from "../../src/core/id.ts";
import type { Runtime } from "../../src/core/runtime.ts";
import { type App, type AppOptions, createApp } from "../../src/http/app.ts";
import { MAX_BODY_BYTES } from "../../src/http/body.ts";
import { connect } from "../../src/http/client.ts";
import { flowing, incoming, STALLED_MS } from "../../src/http/flow.ts";
import { callJson, readText, writeText } from "../../src/fs/use.ts";
import { memorySigner } from "../../src/providers/signer/memory.ts";
import type { Receipt } from "../../src/core/view.ts";
import { deepEqual, equal, match, ok, rejects } from "../assert.ts";
import { fetchOf, LOCAL, TOKEN } from "./served.ts";

const ID = agentId("bob");
const NEVER = new AbortController().signal;
const operator = { viewer: "operator", name: "operator" } as const;
const headers = { authorization: `Bearer ${TOKEN}` };

interface World {
  readonly backend: MemoryBackend;
  readonly runtime: Runtime;
  readonly app: App;
  ask(path: string, init?: RequestInit): Promise<Response>;
}

async function world(options: Partial<AppOptions> = {}): Promise<World> {
  const backend = memoryBackend();
  const runtime = await createAgentd({ backend, signer: memorySigner() });
  const app = createApp({
    runtime,
    auth: { tokenDigest: digest(TOKEN) },
    clock: backend,
    ...options,
  });
  const ask = (path: string, init: RequestInit = {}) =>
    app(new Request(`http://localhost${path}`, { ...init, headers }), LOCAL);
  return { backend, runtime, app, ask };
}

/** An agent whose file is longer than one chunk of an answer. */
async function large({ runtime }: World): Promise<void> {
  await runtime.create({ id: ID, agent: "counter" });
  const files = await runtime.files(ID, operator);
  for (let n = 0; n < 8; n++) await writeText(files, `/files/${n}`, `${n}`.repeat(100_000));
}

async function exporting({ ask }: World): Promise<Response> {
  return await ask(`/runtime/export/${ID}`, { method: "POST" });
}

/** A message is ticked to its end. */
async function ticks({ runtime }: World): Promise<void> {
  const files = await runtime.files(ID, operator);
  const { envelope_id } = await callJson<Receipt>(files, "/inbox", "go on");
  ok((await runtime.wait(ID, envelope_id, NEVER))!.tick.success);
}

/** Takes the first chunk and no more. */
async function begin(answer: Response): Promise<ReadableStreamDefaultReader<Uint8Array>> {
  equal(answer.status, 200);
  const reader = answer.body!.getReader();
  ok((await reader.read()).value!.length > 0);
  return reader;
}

Deno.test("an export holds its agent, and lets it go when it has been read", async () => {
  const at = await world();
  await large(at);
  const answer = await exporting(at);
  const files = await at.runtime.files(ID, operator);
  let accepted = false;
  const sent = callJson(files, "/inbox", "meanwhile").then(() => accepted = true);
  const second = await exporting(at);
  equal(second.status, 409, "one at a time, and told in the answer");
  match(await second.text(), /"code":"conflict"/);
  equal(accepted, false);
  const lines = (await answer.text()).trimEnd().split("\n");
  ok(!lines.some((line) => line.includes("meanwhile")));
  await sent;
  await ticks(at);
});

Deno.test("an export whose reader leaves, stalls, or whose server stops lets its agent go", async () => {
  const stopping = new AbortController();
  const at = await world({ stopping: stopping.signal });
  await large(at);
  const leaves = await begin(await exporting(at));
  await leaves.cancel();
  await ticks(at);

  const stalls = await begin(await exporting(at));
  await at.backend.clock.advance(STALLED_MS - 1);
  ok((await stalls.read()).value, "it was slow, and no more");
  await at.backend.clock.advance(STALLED_MS);
  await ticks(at);
  await rejects(stalls.read(), /does not read/);

  const unread = await exporting(at);
  await at.backend.clock.advance(STALLED_MS);
  await ticks(at);
  await rejects(unread.text());

  const stopped = await begin(await exporting(at));
  stopping.abort();
  await rejects(stopped.read(), /the server stops/);
  await ticks(at);
});

Deno.test("what cannot be exported is refused before anything is answered", async () => {
  const at = await world();
  const answer = await exporting(at);
  equal(answer.status, 404);
  await answer.text();
});

Deno.test("a file larger than any other body is imported as it comes, and goes out again", async () => {
  const at = await world();
  await large(at);
  const files = await at.runtime.files(ID, operator);
  const chunk = "x".repeat(4 * 1024 * 1024);
  for (let n = 0; n < 5; n++) await writeText(files, `/files/large-${n}`, chunk);
  const from = connect({ url: "http://localhost", token: TOKEN, fetch: fetchOf(at.app) });
  const there = await world();
  const to = connect({ url: "http://localhost", token: TOKEN, fetch: fetchOf(there.app) });
  let bytes = 0;
  const counted = async function* () {
    for await (const part of await from.exportAgent(ID)) {
      bytes += part.length;
      yield part;
    }
  };
  await to.importAgent(ReadableStream.from(counted()), { mode: "restore" });
  ok(bytes > MAX_BODY_BYTES, `${bytes}`);
  const restored = await there.runtime.files(ID, operator);
  equal(await readText(restored, "/files/large-4"), chunk);
  equal(await readText(restored, "/files/7"), "7".repeat(100_000));
});

Deno.test("an import that stalls, breaks off or is stopped leaves nothing, and its id is free", async () => {
  const at = await world();
  await large(at);
  const file = await (await exporting(at)).bytes();
  const bring = (app: World["ask"], body: ReadableStream<Uint8Array>) =>
    app("/runtime/import", { method: "POST", body });
  const half = file.slice(0, file.length / 2);

  const stopping = new AbortController();
  const there = await world({ stopping: stopping.signal });
  const owners = () => there.backend.owners({ limit: 10 });
  const ends: Record<string, (pulled: () => void) => [ReadableStream<Uint8Array>, () => unknown]> =
    {
      stalls: (pulled) => [hanging(half, pulled), () => there.backend.clock.advance(STALLED_MS)],
      "breaks off": () => [
        ReadableStream.from((async function* () {
          yield half;
          await Promise.resolve();
          throw new Error("gone");
        })()),
        () => {},
      ],
      ends: () => [ReadableStream.from([half]), () => {}],
      "is stopped": (pulled) => [hanging(half, pulled), () => stopping.abort()],
    };
  for (const [name, end] of Object.entries(ends)) {
    const { promise, resolve } = Promise.withResolvers<void>();
    const [body, finish] = end(resolve);
    const answered = bring(there.ask, body);
    if (body instanceof ReadableStream && name !== "breaks off" && name !== "ends") await promise;
    await finish();
    const answer = await answered;
    ok(answer.status >= 400, name);
    await answer.text();
    deepEqual(await owners(), ["@runtime"], name);
  }
  const again = await world();
  const answer = await bring(again.ask, ReadableStream.from([file]));
  equal(answer.status, 201);
  await answer.text();
});

/** Gives the bytes, says when more is asked for, and never gives more. */
function hanging(bytes: Uint8Array, pulled: () => void): ReadableStream<Uint8Array> {
  let given = false;
  return new ReadableStream({
    pull(controller) {
      if (!given) controller.enqueue(bytes);
      else pulled();
      const more = given;
      given = true;
      return more ? new Promise(() => {}) : undefined;
    },
  }, { highWaterMark: 0 });
}

Deno.test("a server without a database file says so", async () => {
  const at = await world();
  const answer = await at.ask("/runtime/backup", { method: "POST" });
  equal(answer.status, 501);
  match(await answer.text(), /"code":"not_supported"/);
});

Deno.test("chunks go out gathered, in order and without loss; errors in between are seen", async () => {
  const { timer } = manualClock();
  const stopping = new AbortController().signal;
  const bytes = Uint8Array.from({ length: 300_000 }, (_, i) => i % 251);
  const small = async function* () {
    for (let at = 0; at < bytes.length; at += 1_000) {
      await Promise.resolve();
      yield bytes.slice(at, at + 1_000);
    }
  };
  const chunks = await Array.fromAsync(await flowing(small(), { timer, stopping }));
  ok(chunks.length < 10, `${chunks.length} chunks`);
  deepEqual(await new Blob(chunks as BlobPart[]).bytes(), bytes);

  const failing = async function* () {
    yield* small();
    throw new Error("in the middle");
  };
  await rejects(Array.fromAsync(await flowing(failing(), { timer, stopping })), /in the middle/);
  const empty = await flowing(ReadableStream.from<Uint8Array>([]), { timer, stopping });
  deepEqual(await Array.fromAsync(empty), []);
});

Deno.test("what comes in may be slow, and its source is let go when it is left", async () => {
  const clock = manualClock();
  const stopping = new AbortController().signal;
  const late = (why: string) => new Error(why);
  let ended = false;
  const give: (() => void)[] = [];
  const slow = async function* () {
    try {
      for (let n = 0; n < 3; n++) {
        await new Promise<void>((resolve) => give.push(resolve));
        yield Uint8Array.of(n);
      }
    } finally {
      ended = true;
    }
  };
  const source = incoming(slow(), { timer: clock.timer, stopping }, late);
  for (let n = 0; n < 2; n++) {
    const next = source.next();
    await clock.advance(STALLED_MS - 1);
    give.pop()!();
    deepEqual((await next).value, Uint8Array.of(n));
  }
  const next = source.next();
  const told = rejects(next, /nothing came for 60 s/);
  await clock.advance(STALLED_MS);
  await told;
  give.pop()!();
  while (!ended) await Promise.resolve();
});
