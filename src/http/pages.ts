/** What the server tells of itself: the API's document, and the pages on which people look at agents and at the API. They come with the program and need nothing from anywhere else. */
import agent from "./dashboard/agent.js" with { type: "text" };
import api from "./dashboard/api.js" with { type: "text" };
import asking from "./dashboard/asking.js" with { type: "text" };
import asks from "./dashboard/asks.js" with { type: "text" };
import docsPage from "./dashboard/docs.html" with { type: "text" };
import docs from "./dashboard/docs.js" with { type: "text" };
import icon from "./dashboard/icon.svg" with { type: "text" };
import index from "./dashboard/index.html" with { type: "text" };
import jobs from "./dashboard/jobs.js" with { type: "text" };
import models from "./dashboard/models.js" with { type: "text" };
import money from "./dashboard/money.js" with { type: "text" };
import page from "./dashboard/page.js" with { type: "text" };
import show from "./dashboard/show.js" with { type: "text" };
import style from "./dashboard/style.css" with { type: "text" };
import talk from "./dashboard/talk.js" with { type: "text" };
import { digest } from "../core/code.ts";
import { openApi } from "./openapi.ts";
import type { Route } from "./route.ts";
import { JSON_VALUE } from "./schemas.ts";
import type { Visit } from "./visit.ts";

const TAG = "About";
const HTML = "text/html";
const SCRIPT = "text/javascript";
/** Digits of the digest that names a version. */
const VERSION_CHARS = 16;

/**
 * Nothing but what this server serves itself, no frame around it, no markup made from text. An agent's words that came to be
 * markup all the same could load nothing and run nothing.
 */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

const HEADERS = {
  "cache-control": "no-cache",
  "content-security-policy": POLICY,
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};

/** By where it is served: what is in no folder of its own is a page. */
const FILES: Readonly<Record<string, readonly [id: string, type: string, text: string]>> = {
  "/": ["getDashboard", HTML, index],
  "/docs": ["getDocs", HTML, docsPage],
  "/dashboard/page.js": ["getDashboardPage", SCRIPT, page],
  "/dashboard/agent.js": ["getDashboardAgent", SCRIPT, agent],
  "/dashboard/api.js": ["getDashboardApi", SCRIPT, api],
  "/dashboard/asking.js": ["getDashboardAsking", SCRIPT, asking],
  "/dashboard/asks.js": ["getDashboardAsks", SCRIPT, asks],
  "/dashboard/jobs.js": ["getDashboardJobs", SCRIPT, jobs],
  "/dashboard/models.js": ["getDashboardModels", SCRIPT, models],
  "/dashboard/money.js": ["getDashboardMoney", SCRIPT, money],
  "/dashboard/talk.js": ["getDashboardTalk", SCRIPT, talk],
  "/dashboard/show.js": ["getDashboardShow", SCRIPT, show],
  "/dashboard/docs.js": ["getDocsPage", SCRIPT, docs],
  "/dashboard/style.css": ["getDashboardStyle", "text/css", style],
  "/dashboard/icon.svg": ["getDashboardIcon", "image/svg+xml", icon],
};
const ABOUT: Readonly<Record<string, string>> = {
  "/": "A page that shows the agents and what they do",
  "/docs": "This document, as a page",
};

/** @param routes all of the server's, these included, once they are known */
export function pageRoutes(routes: () => readonly Route[], version: string): Route[] {
  let made: Still | undefined;
  const document = () =>
    made ??= still("application/json", JSON.stringify(openApi(routes(), version)));
  return [
    {
      at: "/openapi.json",
      tag: TAG,
      methods: {
        GET: {
          id: "getOpenApi",
          about: "This document",
          needs: "anyone",
          answers: {
            200: { about: "OpenAPI 3.1.", body: { "application/json": JSON_VALUE } },
            304: { about: "It is the one that the caller has." },
          },
          serve: (visit) => told(document(), visit),
        },
      },
    },
    ...Object.entries(FILES).map(([at, [id, type, text]]): Route => {
      const file = still(`${type}; charset=utf-8`, text);
      return {
        at,
        tag: TAG,
        methods: {
          GET: {
            id,
            about: ABOUT[at] ?? "A part of a page",
            needs: "anyone",
            answers: {
              200: { about: "It.", body: { [type]: "bytes" } },
              304: { about: "It is the one that the caller has." },
            },
            serve: (visit) => told(file, visit),
          },
        },
      };
    }),
  ];
}

/** What does not change while the program runs. */
interface Still {
  readonly text: string;
  readonly headers: Readonly<Record<string, string>>;
}

function still(type: string, text: string): Still {
  const etag = `"${digest(text).slice(0, VERSION_CHARS)}"`;
  return { text, headers: { ...HEADERS, "content-type": type, etag } };
}

function told({ text, headers }: Still, { request }: Visit): Response {
  const has = request.headers.get("if-none-match")?.includes(headers["etag"]!);
  return has ? new Response(null, { status: 304, headers }) : new Response(text, { headers });
}
