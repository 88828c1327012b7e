/** What of an exchange is told while it goes on, over HTTP: words, files and questions in their order, and what it cost. */
import assert from "../../assert.ts";
import { digest } from "../../../src/core/code.ts";
import { agentId } from "../../../src/core/id.ts";
import { readText, writeText } from "../../../src/fs/use.ts";
import { createApp } from "../../../src/http/app.ts";
import { type Client, connect } from "../../../src/http/client.ts";
import { exchange, leftOf, type Listener } from "../../../src/cli/chat/exchange.ts";
import {
  begun,
  DOLLAR,
  held,
  ID,
  type Options,
  PAID,
  plays,
  type World,
  world,
} from "../../agents/assistant/world.ts";
import { serve, TOKEN } from "../../http/served.ts";
import type { Script } from "../../services/compute/scripted.ts";

interface Served extends World {
  readonly client: Client;
}

function test(
  name: string,
  script: () => Script,
  run: (w: Served) => Promise<void>,
  options?: Options,
): void {
  Deno.test(`chat: ${name}`, async () => {
    const w = await world(script(), options);
    const stopping = new AbortController();
    const app = createApp({
      runtime: w.runtime,
      auth: { tokenDigest: digest(TOKEN) },
      clock: w.backend,
      version: "1.2.3",
      stopping: stopping.signal,
      report: (error) => {
        throw error;
      },
    });
    const server = serve(app);
    try {
      await run({ ...w, client: connect({ url: server.url, fetch, token: TOKEN }) });
    } finally {
      stopping.abort();
      await server.close();
      await w.runtime.stop(0);
    }
  });
}

/** All that is told, a line each; the words of one model call together. */
function hearing(): { readonly heard: string[]; readonly listener: Listener } {
  const heard: string[] = [];
  return {
    heard,
    listener: {
      speaks: () => void heard.push(""),
      text: (text) => void (heard[heard.length - 1] += text),
      file: (op, path) => void heard.push(`${op} ${path}`),
      asks: (_, op, path) => void heard.push(`? ${op} ${path}`),
    },
  };
}

test("files and words are told in their order, those of this message alone", () =>
  plays(
    "to somebody else",
    [["write", { path: "/files/a", content: "x" }]],
    [["read", { path: "/files/a" }]],
    "It says x.",
  ), async (w) => {
  await w.ask("before");
  const { heard, listener } = hearing();
  const { answered } = await exchange(w.client, ID, "go", listener);
  const { replies, jobs } = await answered;
  assert.deepEqual(replies, [{ kind: "text", text: "It says x." }]);
  assert.deepEqual(heard, ["read /mounts", "write /files/a", "read /files/a", "It says x."]);
  assert.deepEqual(jobs.map(({ status }) => status), ["complete", "complete", "complete"]);
});

test(
  "what it cost is the sum of its model calls, and what is left is told",
  () => plays([["list", { path: "/" }]], "Done."),
  async (w) => {
    const { jobs } = await (await exchange(w.client, ID, "go", hearing().listener)).answered;
    assert.deepEqual(jobs.map(({ cost_micro_usd }) => cost_micro_usd), [2, 2]);
    assert.equal(await leftOf(w.client.files(ID)), 999_996);
  },
  { ...PAID, request: { budgets: DOLLAR } },
);

test("an agent that asks no model only replies", () => plays(), async (w) => {
  const id = agentId("count");
  await w.runtime.create({ id, agent: "counter" });
  const { heard, listener } = hearing();
  const { replies, jobs } = await (await exchange(w.client, id, "go", listener)).answered;
  assert.deepEqual([replies, jobs, heard], [[{ kind: "text", text: "1" }], [], []]);
});

const first = held();
test("a cancel ends the model call that runs", () => plays(first.script), async (w) => {
  const { listener } = hearing();
  const under = await exchange(w.client, ID, "go", listener);
  await first.begun;
  await under.cancel();
  const { replies, jobs } = await under.answered;
  assert.deepEqual(replies, [
    { kind: "text", text: "Stopped: the model call was cancelled." },
  ]);
  assert.deepEqual(jobs.map(({ status }) => status), ["cancelled"]);
});

test(
  "what a person has to allow is told at once",
  () => plays([["write", { path: "/files/a", content: "x" }]], "Done."),
  async (w) => {
    const { heard, listener } = hearing();
    const allowed = Promise.withResolvers<void>();
    const { answered } = await exchange(w.client, ID, "go", {
      ...listener,
      asks(id, op, path) {
        listener.asks(id, op, path);
        writeText(w.client.files(ID), `/approvals/${id}`, "approve").then(
          allowed.resolve,
          allowed.reject,
        );
      },
    });
    await allowed.promise;
    assert.deepEqual((await answered).replies, [{ kind: "text", text: "Done." }]);
    assert.equal(await readText(w.files, "/files/a"), "x");
    assert.ok(heard.includes("? write /files/a"), heard.join("\n"));
  },
  { request: { mounts: { "/files": "approve" } } },
);

const other = held();
test(
  "a message that waits for another one's answer gets its own",
  () => plays(other.script, "Mine."),
  async (w) => {
    const theirs = await begun(w, "theirs");
    const under = await exchange(w.client, ID, "mine", hearing().listener);
    other.say("Theirs.");
    assert.deepEqual(await w.replies(theirs), ["Theirs."]);
    assert.deepEqual((await under.answered).replies, [{ kind: "text", text: "Mine." }]);
  },
);
