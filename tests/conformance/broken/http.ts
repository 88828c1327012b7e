/** Control planes broken on purpose: each with the laws that it breaks, and it breaks no others. */
import type { Answer, Ask, HttpSubject } from "../../../conformance/http.ts";
import { MAX_BODY_BYTES } from "../../../src/http/body.ts";
import { TOKEN } from "../../http/served.ts";

type Fetch = HttpSubject["fetch"];
export type HttpSpoil = (fetch: Fetch) => Fetch;

const RIGHT = `Bearer ${TOKEN}`;

/** Spoils what is asked, on paths that match. */
function asked(
  where: RegExp,
  spoil: (path: string, ask: Ask) => [path: string, ask: Ask],
): HttpSpoil {
  return (fetch) => (path, ask = {}) =>
    where.test(`${ask.method ?? "GET"} ${path}`) ? fetch(...spoil(path, ask)) : fetch(path, ask);
}

function withoutHeaders(where: RegExp, ...names: string[]): HttpSpoil {
  return asked(where, (path, ask) => {
    const left = Object.entries(ask.headers ?? {}).filter(([name]) => !names.includes(name));
    return [path, { ...ask, headers: Object.fromEntries(left) }];
  });
}

/** Spoils answers, on paths that match. */
function answered(
  where: RegExp,
  spoil: (answer: Response, ask: Ask) => Response | Promise<Response>,
): HttpSpoil {
  return (fetch) => async (path, ask = {}) => {
    const answer = await fetch(path, ask) as Answer & Response;
    return where.test(`${ask.method ?? "GET"} ${path}`) ? await spoil(answer, ask) : answer;
  };
}

function headers(where: RegExp, change: (headers: Headers, ask: Ask) => void): HttpSpoil {
  return answered(where, (answer, ask) => {
    const changed = new Headers(answer.headers);
    change(changed, ask);
    const { status } = answer;
    return new Response(answer.body, { status, headers: changed });
  });
}

// deno-lint-ignore no-explicit-any -- whatever the answer holds is there to be spoilt
type Loose = any;

function body(where: RegExp, change: (body: Loose) => unknown): HttpSpoil {
  return answered(where, async (answer) => {
    const { status, headers } = answer;
    return new Response(JSON.stringify(change(await answer.json())), { status, headers });
  });
}

/** Spoils a text that streams. */
function streamed(where: RegExp, change: (text: string) => string): HttpSpoil {
  return answered(where, (answer) => {
    const { status, headers } = answer;
    const changed = answer.body!.pipeThrough(new TextDecoderStream()).pipeThrough(
      new TransformStream<string, string>({
        transform: (text, controller) => controller.enqueue(change(text)),
      }),
    ).pipeThrough(new TextEncoderStream());
    return new Response(changed, { status, headers });
  });
}

/** Says that it has been done, to those who may do it. */
function pretends(where: RegExp, status = 204, value?: unknown): HttpSpoil {
  return (fetch) => (path, ask = {}) => {
    const isMeant = where.test(`${ask.method ?? "GET"} ${path}`) &&
      (status !== 204 || ask.headers?.authorization === RIGHT);
    if (!isMeant) return fetch(path, ask);
    const text = value === undefined ? null : JSON.stringify(value);
    return Promise.resolve(new Response(text, { status }));
  };
}

const ALL = /./;
const SEND = /^POST .*\/send/;
const FILES = /\/files/;
const KEY = "idempotency-key";

/** Name, the laws that it breaks, how. */
export const brokenHttp: readonly [string, string, HttpSpoil][] = [
  ["answers to any name", "H1", withoutHeaders(ALL, "host")],
  ["lets other sites' pages in", "H2", withoutHeaders(ALL, "origin", "sec-fetch-site")],
  [
    "lets other sites' pages read",
    "H2",
    headers(ALL, (h) => h.set("access-control-allow-origin", "*")),
  ],
  [
    "takes a wrong token for none",
    "H3 H37 H38 H41",
    asked(ALL, (path, ask) => {
      const { authorization, ...rest } = { ...ask.headers };
      return [path, authorization === RIGHT ? ask : { ...ask, headers: rest }];
    }),
  ],
  ["does not say how to come in", "H3", headers(ALL, (h) => h.delete("www-authenticate"))],
  [
    "does not see proxies",
    "H4",
    withoutHeaders(ALL, "forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-x"),
  ],
  [
    "takes everybody for the operator",
    "H4 H5 H39",
    asked(
      ALL,
      (path, ask) => [path, { ...ask, headers: { authorization: RIGHT, ...ask.headers } }],
    ),
  ],
  [
    "lets local callers delete",
    "H5",
    asked(/^DELETE \/agents\/[^/]+$/, (path, ask) => [
      path,
      { ...ask, headers: { authorization: RIGHT, ...ask.headers } },
    ]),
  ],
  [
    "lets local callers do nothing with files",
    "H6",
    (fetch) => (path, ask = {}) =>
      ask.method === "PUT" && FILES.test(path) && !ask.headers?.authorization
        ? Promise.resolve(new Response("", { status: 403 }))
        : fetch(path, ask),
  ],
  ["hides how it is", "H1 H2 H4 H7", pretends(/\/healthz/, 401)],
  ["tells too much of how it is", "H7", body(/\/healthz/, (b) => ({ ...b, version: "1" }))],
  ["decodes twice", "H8", asked(FILES, (path, ask) => [path.replaceAll("%25", "%"), ask])],
  ["decodes before it splits", "H8", asked(FILES, (path, ask) => [path.replace(/%2f/i, "/"), ask])],
  ["forgives empty segments", "H8", asked(FILES, (path, ask) => [path.replace("//", "/"), ask])],
  [
    "forgives capitals in ids",
    "H9",
    asked(/UPPER/, (path, ask) => [path.toLowerCase(), ask]),
  ],
  ["has an answer for every route", "H1 H2 H4 H9", pretends(/ \/none$/, 200, {})],
  [
    "answers errors as plain JSON",
    "H10",
    headers(/\/files\/none/, (h) => h.set("content-type", "application/json")),
  ],
  ["shows its stack", "H10", body(/\/files\/none/, (b) => ({ ...b, stack: "at file" }))],
  ["does not say where it went wrong", "H10", body(/\/files\/none/, ({ path: _, ...b }) => b)],
  ["does not say what is allowed", "H11", headers(ALL, (h) => h.delete("allow"))],
  [
    "takes any method for a read",
    "H5 H11 H40",
    asked(/^(PATCH|OPTIONS)/, (p, a) => [p, { ...a, method: "GET" }]),
  ],
  [
    "says that it made what was there",
    "H12",
    answered(
      /^POST \/agents$/,
      (answer) => answer.status === 200 ? new Response(answer.body, { status: 201 }) : answer,
    ),
  ],
  ["keeps an agent's key to itself", "H12", body(/^POST \/agents$/, ({ pubkey: _, ...b }) => b)],
  [
    "takes fields that it does not know",
    "H13",
    asked(/^POST \/agents$/, (path, ask) => [path, {
      ...ask,
      body: String(ask.body).replace(',"nonsense":1', ""),
    }]),
  ],
  ["does not look at states", "H14", asked(/state=/, (p, a) => [p.replace(/state=\w+/, ""), a])],
  ["loses the rest of a listing", "H14", body(/GET \/agents\?limit/, ({ next: _, ...b }) => b)],
  ["deletes nobody", "H15 H39", pretends(/^DELETE \/agents\/[^/]+$/)],
  ["sleeps when woken", "H16", asked(/\/wake$/, (p, a) => [p.replace("wake", "hibernate"), a])],
  ["does not tell how a tick went", "H16", body(/\/tick$/, (b) => b.tick_id ? {} : b)],
  ["goes on while it is paused", "H17", pretends(/^POST \/runtime\/pause$/)],
  [
    "decodes forms",
    "H18",
    asked(SEND, (path, ask) => [path, {
      ...ask,
      ...(typeof ask.body === "string" ? { body: ask.body.replaceAll("+", " ") } : {}),
    }]),
  ],
  [
    "takes text for JSON where it can",
    "H18",
    asked(SEND, (path, ask) => {
      const isText = ask.headers?.["content-type"] === "text/plain" && ask.body === '{"a":1}';
      const type = { "content-type": "application/json" };
      return [path, isText ? { ...ask, headers: { ...ask.headers, ...type } } : ask];
    }),
  ],
  ["does not say what waits", "H19", body(/\/send$/, ({ queue_depth: _, ...b }) => b)],
  ["forgets what was sent", "H20 H21 H22", withoutHeaders(SEND, KEY)],
  [
    "gives another id",
    "H20 H21",
    asked(SEND, (path, ask) => {
      const key = ask.headers?.[KEY];
      return [path, key ? { ...ask, headers: { ...ask.headers, [KEY]: `${key}x` } } : ask];
    }),
  ],
  [
    "gives the runtime's ids away",
    "H21",
    asked(SEND, (path, ask) => {
      const key = ask.headers?.[KEY]?.replace(/[:_]1$/, "1");
      return [path, key ? { ...ask, headers: { ...ask.headers, [KEY]: key } } : ask];
    }),
  ],
  [
    "answers a duplicate without its replies",
    "H22",
    (fetch) => {
      const known = new Set<string>();
      return async (path, ask = {}) => {
        const key = ask.headers?.[KEY];
        const answer = await fetch(path, ask);
        if (key === undefined || !path.includes("wait=") || !known.has(path + key)) {
          if (key !== undefined) known.add(path + key);
          return answer;
        }
        return new Response(JSON.stringify({ tick: { success: true }, replies: [] }));
      };
    },
  ],
  ["waits for ever, and then for nothing", "H17 H23", pretends(/wait=0.05/, 200, {})],
  [
    "forgives a wait that is none",
    "H23",
    asked(/wait=(-1|x|)$/, (p, a) => [p.replace(/wait=.*/, ""), a]),
  ],
  ["does not say when to come back", "H24 H41", headers(ALL, (h) => h.delete("retry-after"))],
  [
    "takes the beginning of too much",
    "H25",
    asked(ALL, (path, ask) => [
      path,
      ask.body && ask.body.length > MAX_BODY_BYTES ? { ...ask, body: "x" } : ask,
    ]),
  ],
  [
    "writes where it should append",
    "H26",
    asked(/append=1/, (p, a) => [p.replace("?append=1", ""), a]),
  ],
  [
    "writes the whole for a part",
    "H26",
    asked(/PUT .*offset/, (p, a) => [p.replace(/\?.*/, ""), a]),
  ],
  ["keeps what was removed", "H26 H29", pretends(/^DELETE .*f\.txt$/)],
  ["does not say how long it is", "H27", headers(/^HEAD/, (h) => h.delete("content-length"))],
  ["has no times", "H27", headers(/f\.txt/, (h) => h.delete("last-modified"))],
  ["has no ranges", "H28", withoutHeaders(FILES, "range")],
  ["does not say which part it is", "H28", headers(FILES, (h) => h.delete("content-range"))],
  ["gives a part too much", "H28", asked(/len=3/, (p, a) => [p.replace("len=3", "len=4"), a])],
  ["sends what the caller has", "H29", withoutHeaders(/^GET .*\/files/, "if-none-match")],
  ["writes over another version", "H29", withoutHeaders(/^PUT/, "if-match")],
  ["removes another version", "H29", withoutHeaders(/^DELETE/, "if-match")],
  ["loses the rest of a directory", "H30", body(/files\?limit=3/, ({ next: _, ...b }) => b)],
  [
    "does not know directories",
    "H30",
    body(/GET .*\/files\/?(\?|$)/, (b) => ({
      ...b,
      entries: b.entries?.map((entry: Loose) => ({ ...entry, dir: false })),
    })),
  ],
  [
    "writes what is posted",
    "H31",
    asked(/^POST .*\/files/, (p, a) => [p, { ...a, method: "PUT" }]),
  ],
  ["lets an agent's page run", "H32", headers(FILES, (h) => h.delete("content-security-policy"))],
  [
    "does not know JSON",
    "H32",
    headers(/\/law-.*\/status$/, (h) => {
      if (h.get("content-type") === "application/json") h.set("content-type", "text/plain");
    }),
  ],
  [
    "tells the trace and is done",
    "H33 H34 H38",
    asked(/\/logs\/trace/, (p, a) => [`${p}${p.includes("?") ? "&" : "?"}watch=0`, a]),
  ],
  ["leaves events out", "H33", streamed(/\/stream$/, (text) => text.replace("id: 4\n", "id: 5\n"))],
  ["begins anew", "H34", withoutHeaders(/\/logs\/trace/, "last-event-id")],
  [
    "gives all for the last",
    "H34",
    asked(/tail=1/, (p, a) => [p.replace("tail=1", "after=0"), a]),
  ],
  ["watches only where the query says so", "H35", withoutHeaders(/\/outbox/, "accept")],
  [
    "tells of changes and not of which",
    "H36",
    streamed(/files\/a\?watch/, (text) => text.replace(/event: \w+/g, "event: modified")),
  ],
  [
    "lets a token that reads send",
    "H37",
    asked(SEND, (path, ask) => {
      const isScoped = ask.headers?.authorization?.startsWith("Bearer agt_");
      const headers = { ...ask.headers, ...(isScoped ? { authorization: RIGHT } : {}) };
      return [path, { ...ask, headers }];
    }),
  ],
  [
    "shows a token the agents of others",
    "H37",
    asked(/^GET \/agents(\?|$)/, (path, ask) => [
      path,
      {
        ...ask,
        headers: {
          ...ask.headers,
          ...(ask.headers?.authorization?.startsWith("Bearer agt_")
            ? { authorization: RIGHT }
            : {}),
        },
      },
    ]),
  ],
  [
    "takes a token for the operator's for ever",
    "H38",
    (fetch) => {
      const known = new Set<string>();
      return async (path, ask = {}) => {
        const answer = await fetch(path, ask) as Answer & Response;
        const { authorization = "" } = ask.headers ?? {};
        if (path !== "/runtime/status" || !authorization.includes("agt_")) return answer;
        if (answer.ok) known.add(authorization);
        return known.has(authorization) ? new Response("{}") : answer;
      };
    },
  ],
  [
    "tells its tokens",
    "H38",
    (fetch) => {
      const told: string[] = [];
      return async (path, ask = {}) => {
        const answer = await fetch(path, ask) as Answer & Response;
        if (path !== "/runtime/tokens" || !answer.ok) return answer;
        const text = await answer.text();
        if (ask.method === "POST") told.push(JSON.parse(text).token);
        const { status, headers } = answer;
        return new Response(ask.method ? text : text + told.join(" "), { status, headers });
      };
    },
  ],
  [
    "gives a clone its own name",
    "H39",
    asked(/mode=clone/, (p, a) => [p.replace(/&id=.*/, ""), a]),
  ],
  [
    "does not look at passphrases",
    "H39",
    withoutHeaders(/\/runtime\/import/, "agentd-passphrase"),
  ],
  ["decides for itself what it changes", "H40", body(/^PATCH/, (b) => ({ ...b, config: null }))],
  [
    "changes what it was not told to",
    "H40",
    asked(/^PATCH .*/, (path, ask) => [path, {
      ...ask,
      body: String(ask.body).replace('"name":"two"', '"name":"two","config":1'),
    }]),
  ],
  [
    "never has enough of wrong tokens",
    "H41",
    answered(ALL, (answer) => answer.status === 429 ? new Response("", { status: 401 }) : answer),
  ],
];
