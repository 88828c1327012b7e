/** Requests to the control plane: every route and every file, by every caller, with a path, headers and a body that are broken. */
import { setImmediate } from "node:timers";
import { plainPath } from "../../../src/http/target.ts";
import { ASKING_MORE, FILES, ROUTES, VERBS } from "../../http/access_rules.ts";
import { accessWorld, HOOK, SECRET, THIS, type World } from "../../http/access_world.ts";
import type { Chance } from "../../sim/chance.ts";
import { mustBeGood, told } from "../answers.ts";
import { anyText, brokenJson, brokenText, WORDS } from "../mutate.ts";
import type { Target } from "../target.ts";

type Ask = {
  /** Of those who may come. */
  caller: number;
  method: string;
  /** As it stands in the request's first line. */
  url: string;
  headers: [string, string][];
  body: string;
};

const METHODS = ["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS", "REPORT"];
const QUERIES = [
  "watch=1",
  "wait=0",
  "wait=0.01",
  "after=0",
  "after=3&watch=1",
  "tail=2",
  "from=1&to=9",
  "offset=2&len=3",
  "limit=1&after=a",
  "append=1",
  "stat=1",
  "open=write",
  "mode=call",
  "mode=clone&id=copy",
  "state=paused",
];
const HEADERS: readonly (readonly [string, readonly string[]])[] = [
  ["content-type", [
    "application/json",
    "text/plain; charset=utf-16",
    "application/x-www-form-urlencoded",
    "application/octet-stream",
    "text/csv",
  ]],
  ["accept", ["text/event-stream", "application/json"]],
  ["last-event-id", ["0", "7", "9007199254740991"]],
  ["range", ["bytes=0-3", "bytes=-2", "bytes=4-", "bytes=9-1", "bytes=0-1,3-4"]],
  ["if-range", ['"v1"', "Mon, 01 Jan 2026 00:00:00 GMT"]],
  ["if-match", ["*", '"v1"', 'W/"a", "b%20c"']],
  ["if-none-match", ["*", '"v1"']],
  ["idempotency-key", ["key-1", "job:1:done", "Größe"]],
  ["traceparent", ["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"]],
  ["x-hub-signature-256", [`sha256=${"0".repeat(64)}`]],
  ["x-github-delivery", ["7d0f1e9c"]],
  ["content-length", ["0", "5", "99999999999"]],
];
/** With most of these, nobody is let in. */
const DOOR: typeof HEADERS = [
  ["origin", ["http://localhost", "null"]],
  ["host", ["localhost", "LOCALHOST:80", "evil.example"]],
  ["authorization", ["Bearer x"]],
];
const BODIES = [
  '{"payload":"hello"}',
  '{"payload":{"kind":"binary","data":"aGVsbG8="},"metadata":{"expires_at":"2026-01-01T00:00:00Z"}}',
  "hello",
  '{"id":"new-one","agent":"echo","name":"x","config":{"a":1},"goals":["rest"],"limits":{"max_tick_ms":1000}}',
  '{"name":"x","budgets":{"/":{"per_day_micro_usd":5,"approvers":["operator"]}},"mounts":{"/kv":"read_only"}}',
  '{"model":"agent:bob","messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}],"stream":true}',
  '{"agents":["bob"],"can":"send","expires_at":"2030-01-01T00:00:00Z","name":"t"}',
];
/** Their bodies are programs, which would be run. */
const isCode = (text: string) => /\/code\b|"code"|\{module\}/.test(text);

const ROUTE_LIST = [
  ...Object.entries(ROUTES).map(([at, { body = "" }]) => ({ at, body })),
  ...Object.values(ASKING_MORE).map(({ at, body = "" }) => ({ at, body })),
];
/** What stands in a route's pattern, where it fits. */
const NAMES: Readonly<Record<string, readonly string[]>> = {
  "{id}": [THIS, "other", "nobody", "{token}"],
  "{name}": [HOOK, SECRET, "none"],
  "{model}": ["agent:bob", "agent%3Abob", "none/a%2Fb"],
};

function routeAsk(chance: Chance) {
  const { at, body } = chance.pick(ROUTE_LIST);
  const [method = "GET", pattern = "/"] = at.split(" ");
  const url = pattern.replace(/\{\w+\}/g, (name) => chance.pick(NAMES[name] ?? ["x"]));
  return { method, url, body };
}

function fileAsk(chance: Chance) {
  const [pattern, { body = "text" }] = chance.pick(FILES);
  const { method, query } = chance.pick(VERBS);
  const names = ["top.txt", "key", "readme", "g1.json", "1", "list"];
  const path = pattern.replace(/\*+/g, () => chance.pick(names));
  return { method, url: `/agents/${THIS}${path}${query ? `?${query}` : ""}`, body };
}

/** JSON as deep as few would write it, where it may be taken for a part of what is asked. */
function deepBody(chance: Chance): string {
  const depth = 1 + chance.below(chance.percent(50) ? 300 : 20_000);
  const [open, close] = chance.pick([["[", "]"], ['{"a":', "}"]] as const);
  const deep = open.repeat(depth) + (open === "[" ? "" : "0") + close.repeat(depth);
  const name = chance.pick(["payload", "config", "input", "messages", "metadata", "data", "a"]);
  return chance.percent(30) ? deep : `{"id":"deep","agent":"echo","${name}":${deep}}`;
}

function bodyOf(chance: Chance, body: string): string {
  if (chance.percent(25)) return body;
  if (chance.percent(2)) return deepBody(chance);
  const other = chance.percent(30) ? chance.pick(BODIES) : body;
  if (chance.percent(40)) return brokenText(chance, other, BODIES);
  try {
    return JSON.stringify(brokenJson(chance, JSON.parse(other)));
  } catch {
    return brokenText(chance, other, BODIES);
  }
}

/** A header's characters are bytes, and none of them ends it. */
function inHeader(text: string): string {
  return Array.from(text, (c) => String.fromCharCode(c.charCodeAt(0) & 0xff)).join("")
    .replace(/[\0\r\n]/g, "").trim();
}

function make(chance: Chance): Ask {
  const ask = chance.percent(50) ? routeAsk(chance) : fileAsk(chance);
  let { method, url } = ask;
  if (chance.percent(10)) method = chance.pick(METHODS);
  if (chance.percent(30)) {
    const query = chance.percent(40)
      ? brokenText(chance, chance.pick(QUERIES))
      : chance.pick(QUERIES);
    url += `${url.includes("?") ? "&" : "?"}${query}`;
  }
  if (chance.percent(15)) url = brokenText(chance, url);
  const headers = Array.from({ length: chance.below(4) }, (): [string, string] => {
    const [name, values] = chance.pick(chance.percent(5) ? DOOR : HEADERS);
    const value = chance.pick(values);
    return [name, chance.percent(40) ? inHeader(brokenText(chance, value, WORDS)) : value];
  });
  if (chance.percent(5)) headers.push(["x-any", inHeader(anyText(chance, 30))]);
  // Most are asked by who may do everything: what is refused at the door shows little.
  const caller = chance.percent(70) ? 0 : chance.below(40);
  return { caller, method, url, headers, body: bodyOf(chance, ask.body) };
}

/** Undefined for what no client could send. */
function requestOf(world: World, nth: number, { caller, method, url, headers, body }: Ask) {
  const { callers } = world;
  const who = callers[caller % callers.length]!;
  const carries = method !== "GET" && method !== "HEAD";
  const path = world.fill(url);
  try {
    const all = new Headers(who.headers);
    for (const [name, value] of headers) all.set(name, value);
    const init = { method, headers: all, ...(carries ? { body: world.fill(body) } : {}) };
    const request = new Request("http://localhost/", init);
    // As the server's library gives it: nothing in the path is resolved.
    Object.defineProperty(request, "url", { value: `http://localhost${path}` });
    return { request, peer: { ...who.peer, address: `address-${nth}` }, path };
  } catch {
    return undefined;
  }
}

/** So many turns an answer may take before time goes by. */
const TURNS = 50;
const HOUR_MS = 3_600_000;
/** What has been taken away is put back after so many requests. */
const REFURNISHED = 100;

export const target: Target<Ask> = {
  about: "every request has an answer, none is 500, and an error is told in the documented form",
  sample: 2_000,
  make,
  async begin() {
    const world = await accessWorld();
    let asked = 0;
    return {
      async try(ask) {
        if (isCode(plainPath(ask.url)) || isCode(ask.body)) return;
        if (++asked % REFURNISHED === 0) await world.furnish();
        const made = requestOf(world, asked, ask);
        if (!made || !made.path.startsWith("/")) return;
        const { request, peer, path } = made;
        let done = false;
        const answering = world.router.serve(request, peer).then(told).finally(() => done = true);
        answering.catch(() => {});
        for (let turn = 0; !done && turn < TURNS; turn++) await new Promise((r) => setImmediate(r));
        for (let hour = 0; !done && hour < 30; hour++) await world.backend.clock.advance(HOUR_MS);
        mustBeGood(`http://localhost${path}`, ask.method, await answering);
      },
    };
  },
};
