import assert from "../assert.ts";
import { type ManualClock, manualClock } from "../../src/backends/manual_clock.ts";
import { feed } from "../../src/fs/feed.ts";
import { dir, file, type Node, tree, type WatchEvent } from "../../src/fs/tree.ts";
import {
  COMMENT_MS,
  DROPPED_MS,
  eventText,
  MAX_WATCHER_CHARS,
  MAX_WATCHERS,
  SLOW_MS,
} from "../../src/http/events.ts";
import { appOf, LOCAL } from "./served.ts";
import { acting } from "../conformance/file_subjects.ts";

const BASE = "http://localhost/agents/abc";

/** A file that tells what `tell` is given, and how many listen. */
function told() {
  const events = feed();
  const node: Node = file({ kind: "stream", watch: ({ signal }) => events.listen(signal) });
  return { events, node };
}

function asking(root: Node, clock: ManualClock = manualClock(), stopping?: AbortSignal) {
  const app = appOf(tree(root, "local"), { clock, ...(stopping ? { stopping } : {}) });
  return (path: string, headers: Record<string, string> = {}) =>
    app(new Request(BASE + path, { headers }), LOCAL);
}

/** Reads until the text has so many blocks, or the stream ends. */
function reading(response: Response) {
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  return {
    async blocks(count: number): Promise<string[]> {
      while (text.split("\n\n").length <= count) {
        const { done, value } = await reader.read();
        if (done) break;
        text += value;
      }
      return text.split("\n\n").slice(0, -1);
    },
    cancel: () => reader.cancel(),
  };
}

Deno.test("an event is id, event and data; what has no seq has no id", () => {
  assert.equal(
    eventText('{"seq":7,"type":"log","text":"a\\nb"}'),
    'id: 7\nevent: log\ndata: {"seq":7,"type":"log","text":"a\\nb"}\n\n',
  );
  assert.equal(eventText('{"type":"modified"}'), 'event: modified\ndata: {"type":"modified"}\n\n');
  assert.equal(eventText('{"type":"a\\nid: 9"}'), 'event: a id: 9\ndata: {"type":"a\\nid: 9"}\n\n');
  assert.equal(eventText('{\n"seq":1.5}'), 'data: {\ndata: "seq":1.5}\n\n');
});

Deno.test("?watch=1 and Accept watch; ?watch=0 never does", async () => {
  const { stream, files } = acting();
  await stream!.emit();
  const app = appOf(files);
  const type = async (query: string, headers: Record<string, string> = {}) => {
    const response = await app(new Request(BASE + "/trace" + query, { headers }), LOCAL);
    await response.body?.cancel();
    return response.headers.get("content-type");
  };
  const accept = { accept: "text/event-stream" };
  assert.equal(await type("?watch=1"), "text/event-stream");
  assert.equal(await type("", accept), "text/event-stream");
  assert.equal(await type("?watch=0", accept), "application/x-ndjson");
  assert.equal(await type(""), "application/x-ndjson");
});

Deno.test("?after= and Last-Event-ID resume, ?tail= begins with the last; the header counts", async () => {
  const { stream, files } = acting();
  for (let n = 0; n < 5; n++) await stream!.emit();
  const app = appOf(files);
  const first = async (query: string, headers: Record<string, string> = {}) => {
    const response = await app(new Request(BASE + "/trace?watch=1" + query, { headers }), LOCAL);
    const events = reading(response);
    const [, event] = await events.blocks(2);
    await events.cancel();
    return event?.split("\n")[0];
  };
  assert.equal(await first("&after=2"), "id: 3");
  assert.equal(await first("&tail=2"), "id: 4");
  assert.equal(await first("&after=1", { "last-event-id": "3" }), "id: 4");
  const refused = await app(
    new Request(BASE + "/trace?watch=1", { headers: { "last-event-id": "x" } }),
    LOCAL,
  );
  assert.equal(refused.status, 400);
});

Deno.test("/logs/trace alone streams without being asked to, from the last 20 on", async () => {
  const asked: unknown[] = [];
  const trace = file({
    kind: "stream",
    read: () => "kept\n",
    watch: ({ after, tail, signal }) => {
      asked.push({ after, tail });
      return feed().listen(signal);
    },
  });
  const ask = asking(dir({ logs: dir({ trace }), other: trace }));
  const type = async (path: string) => {
    const response = await ask(path);
    await response.body?.cancel();
    return response.headers.get("content-type");
  };
  assert.equal(await type("/logs/trace"), "text/event-stream");
  assert.equal(await type("/stream"), "text/event-stream");
  assert.equal(await type("/logs/trace?tail=3"), "text/event-stream");
  assert.equal(await type("/logs/trace?after=9"), "text/event-stream");
  assert.equal(await type("/other?watch=1"), "text/event-stream");
  assert.equal(await type("/logs/trace?watch=0"), "application/x-ndjson");
  assert.equal(await type("/other"), "application/x-ndjson");
  assert.deepEqual(asked, [
    { after: undefined, tail: 20 },
    { after: undefined, tail: 20 },
    { after: undefined, tail: 3 },
    { after: 9, tail: undefined },
    { after: undefined, tail: undefined },
  ]);
});

Deno.test("a watch that cannot be is refused before it is a stream", async () => {
  const ask = asking(dir({ f: file({ read: () => "" }) }));
  const response = await ask("/f?watch=1");
  assert.equal(response.status, 501);
  assert.equal(response.headers.get("content-type"), "application/problem+json");
  assert.equal((await ask("/none?watch=1")).status, 404);
});

Deno.test("a quiet watch says something every 15 s, on one timer for all", async () => {
  const clock = manualClock();
  const { node } = told();
  const ask = asking(dir({ f: node }), clock);
  const one = reading(await ask("/f?watch=1"));
  const two = reading(await ask("/f?watch=1"));
  assert.deepEqual(await one.blocks(1), ["retry: 1000"]);
  await two.blocks(1);
  assert.equal(clock.waiting(), 1);
  for (let n = 1; n <= 3; n++) {
    const [next, other] = [one.blocks(1 + n), two.blocks(1 + n)];
    await clock.advance(COMMENT_MS);
    assert.equal((await next).at(-1), ":");
    assert.equal((await other).at(-1), ":");
  }
  await one.cancel();
  assert.equal(clock.waiting(), 1);
  await two.cancel();
  assert.equal(clock.waiting(), 0, "no timer when nobody watches");
});

Deno.test("a reader who leaves ends its watch", async () => {
  const { events, node } = told();
  const ask = asking(dir({ f: node }));
  const one = reading(await ask("/f?watch=1"));
  await one.blocks(1);
  assert.equal(events.listeners, 1);
  await one.cancel();
  while (events.listeners) await Promise.resolve();
});

Deno.test("a watcher that does not read is dropped with a last event, and others are not held up", async () => {
  const clock = manualClock();
  const { events, node } = told();
  const ask = asking(dir({ f: node }), clock);
  const slow = await ask("/f?watch=1");
  const quick = reading(await ask("/f?watch=1"));
  await quick.blocks(1);
  const text = "x".repeat(1000);
  const count = Math.ceil(MAX_WATCHER_CHARS / 1000) + 10;
  for (let seq = 1; seq <= count; seq++) {
    events.tell({ seq, type: "log", text });
    await quick.blocks(1 + seq);
  }
  assert.equal((await quick.blocks(1 + count)).length, 1 + count, "the quick one got them all");
  assert.equal(events.listeners, 2, "who is slow has some time");
  await clock.advance(SLOW_MS);
  assert.equal(events.listeners, 1);
  const blocks = (await slow.text()).split("\n\n").slice(0, -1);
  assert.match(blocks.at(-1)!, /^event: dropped\ndata: \{"code":"rate_limited",/);
  const ids = blocks.slice(1, -1).map((block) => Number(/^id: (\d+)/.exec(block)![1]));
  assert.deepEqual(ids, ids.map((_, i) => i + 1), "what it was given before has no hole");
  assert.ok(ids.length > 0 && ids.length < count);
  await quick.cancel();
});

Deno.test("a dropped watcher that still does not read loses its connection", async () => {
  const clock = manualClock();
  const { events, node } = told();
  const ask = asking(dir({ f: node }), clock);
  const slow = await ask("/f?watch=1");
  const text = "x".repeat(MAX_WATCHER_CHARS);
  for (let seq = 1; seq <= 3; seq++) events.tell({ seq, type: "log", text });
  await clock.advance(SLOW_MS);
  assert.equal(events.listeners, 0);
  await clock.advance(DROPPED_MS);
  await assert.rejects(slow.text(), /does not read/);
});

Deno.test("who catches up within the time is not dropped, and has missed nothing", async () => {
  const clock = manualClock();
  const { events, node } = told();
  const ask = asking(dir({ f: node }), clock);
  const late = reading(await ask("/f?watch=1"));
  await late.blocks(1);
  const text = "x".repeat(1000);
  const count = 2 * Math.ceil(MAX_WATCHER_CHARS / 1000);
  for (let seq = 1; seq <= count; seq++) events.tell({ seq, type: "log", text });
  await clock.advance(SLOW_MS - 1);
  const blocks = await late.blocks(1 + count);
  assert.deepEqual(
    blocks.slice(1).map((block) => Number(/^id: (\d+)/.exec(block)?.[1])),
    Array.from({ length: count }, (_, i) => i + 1),
  );
  await late.cancel();
});

Deno.test("one event larger than the buffer still gets through", async () => {
  const { events, node } = told();
  const ask = asking(dir({ f: node }));
  const one = reading(await ask("/f?watch=1"));
  await one.blocks(1);
  events.tell({ seq: 1, type: "log", text: "x".repeat(2 * MAX_WATCHER_CHARS) });
  assert.match((await one.blocks(2))[1]!, /^id: 1\n/);
  await one.cancel();
});

Deno.test("watches are counted: one too many is 429, and a place that is left is free again", async () => {
  const { node } = told();
  const ask = asking(dir({ f: node, g: file({ read: () => "" }) }));
  const all = [];
  for (let n = 0; n < MAX_WATCHERS; n++) all.push(await ask("/f?watch=1"));
  const refused = await ask("/f?watch=1");
  assert.equal(refused.status, 429);
  assert.ok(Number(refused.headers.get("retry-after")) > 0);
  assert.equal((await refused.json()).limit, MAX_WATCHERS);
  await all[0]!.body!.cancel();
  assert.equal((await ask("/g?watch=1")).status, 501, "a refused watch takes no place");
  const again = await ask("/f?watch=1");
  assert.equal(again.status, 200);
  for (const response of [...all.slice(1), again]) await response.body!.cancel();
});

Deno.test("the end of a file's events, and its failure, are told apart from a broken connection", async () => {
  async function* few(): AsyncGenerator<WatchEvent> {
    yield { seq: 1, type: "log" };
  }
  async function* broken(): AsyncGenerator<WatchEvent> {
    yield { seq: 1, type: "log" };
    throw new Error("/srv/secret");
  }
  const ask = asking(dir({ few: file({ watch: few }), broken: file({ watch: broken }) }));
  const last = async (path: string) => (await (await ask(path)).text()).split("\n\n").at(-2);
  assert.equal(await last("/few?watch=1"), "event: end\ndata: {}");
  const failed = await last("/broken?watch=1");
  assert.match(failed!, /^event: failed\ndata: \{.*"code":"internal"/);
  assert.doesNotMatch(failed!, /srv/);
});

Deno.test("when the server stops, watches end without pretending that the file did", async () => {
  const stop = new AbortController();
  const { events, node } = told();
  const ask = asking(dir({ f: node }), manualClock(), stop.signal);
  const waiting = await ask("/f?watch=1");
  const one = reading(await ask("/f?watch=1"));
  await one.blocks(1);
  const rest = one.blocks(2);
  stop.abort();
  assert.deepEqual(await rest, ["retry: 1000"]);
  assert.doesNotMatch(await waiting.text(), /event: end/);
  while (events.listeners) await Promise.resolve();
});
