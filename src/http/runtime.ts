/** /runtime, /healthz and /metrics: the runtime as a whole. */
import type { Runtime } from "../core/runtime.ts";
import type { Watchers } from "./events.ts";
import type { Metrics } from "./metrics.ts";
import { PROMETHEUS_TYPE } from "./prometheus.ts";
import { jsonAnswer, NO_CONTENT, type Route } from "./route.ts";
import { HEALTH, RUNTIME_STATUS } from "./schemas.ts";
import { json, noContent } from "./visit.ts";

const TAG = "Runtime";

export function runtimeRoutes(runtime: Runtime, watchers: Watchers, metrics: Metrics): Route[] {
  return [
    {
      at: "/healthz",
      tag: TAG,
      methods: {
        GET: {
          id: "getHealth",
          about: "Says that the server answers",
          needs: "anyone",
          answers: { 200: jsonAnswer("It does.", HEALTH) },
          serve: () => json({ status: "ok" }),
        },
      },
    },
    {
      at: "/runtime/status",
      tag: TAG,
      methods: {
        GET: {
          id: "getRuntimeStatus",
          about: "Tells how the runtime is",
          needs: "see the runtime",
          answers: { 200: jsonAnswer("How it is.", RUNTIME_STATUS) },
          serve: async () => json(await runtime.status()),
        },
      },
    },
    {
      at: "/runtime/pause",
      tag: TAG,
      methods: {
        POST: {
          id: "pauseRuntime",
          about: "Lets all agents take messages and tick none, until they are resumed",
          needs: "pause or resume the runtime",
          answers: { 204: NO_CONTENT },
          async serve() {
            await runtime.pauseAll();
            return noContent();
          },
        },
      },
    },
    {
      at: "/runtime/resume",
      tag: TAG,
      methods: {
        POST: {
          id: "resumeRuntime",
          about: "Lets all agents tick again",
          needs: "pause or resume the runtime",
          answers: { 204: NO_CONTENT },
          async serve() {
            await runtime.resumeAll();
            return noContent();
          },
        },
      },
    },
    {
      at: "/metrics",
      tag: TAG,
      methods: {
        GET: {
          id: "getMetrics",
          about: "Counts of the runtime, the server and the process",
          needs: "see the runtime",
          answers: {
            200: {
              about: "Prometheus' text format, version 0.0.4.",
              body: { "text/plain": "bytes" },
            },
          },
          serve: async () =>
            new Response(metrics.text(await runtime.status(), watchers.size), {
              headers: {
                "content-type": PROMETHEUS_TYPE,
                "cache-control": "no-store",
                "x-content-type-options": "nosniff",
              },
            }),
        },
      },
    },
  ];
}
