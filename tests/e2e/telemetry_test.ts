/** Spans of the real program, as a collector of OpenTelemetry gets them from Deno's own exporter. */
import { deepEqual, equal, match, ok } from "../assert.ts";
import { collector } from "./collector.ts";
import { BINARY } from "./program.ts";
import { inPlace, type Place } from "./server.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const CALLER = "b7ad6b7169203331";
const TRACEPARENT = `00-${TRACE}-${CALLER}-01`;

function serveTraced(place: Place, endpoint: string) {
  return place.serve(undefined, {
    env: {
      OTEL_DENO: "true",
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
      OTEL_BSP_SCHEDULE_DELAY: "50",
      OTEL_DENO_CONSOLE: "ignore",
      OTEL_SERVICE_NAME: "agentd",
    },
  });
}

/** Deno decides when a program is compiled whether it has OpenTelemetry, and not when it is started. */
const WHY = BINARY === undefined ? "" : " (skipped: a compiled program has no OpenTelemetry)";

Deno.test({
  name: "a request, its file call and the tick that it causes are linked by the caller's trace" +
    WHY,
  ignore: BINARY !== undefined,
  fn: traced,
});

async function traced(): Promise<void> {
  const sink = collector();
  await inPlace(async (place) => {
    const served = await serveTraced(place, sink.url);
    const answer = await fetch(`${served.url}/agents/abc/send?wait=30`, {
      method: "POST",
      body: "hi",
      headers: { traceparent: TRACEPARENT },
    });
    const { tick, replies } = await answer.json();
    deepEqual(replies, [{ kind: "text", text: "hi" }]);

    const ours = (name: string) =>
      sink.span((span) => span.name === name && span.traceId === TRACE);
    const request = await ours("POST /agents/{id}/send");
    equal(request.parentSpanId, CALLER);
    equal(request.attributes["http.route"], "/agents/{id}/send");
    equal(Number(request.attributes["http.response.status_code"]), 200);
    equal(
      sink.all().filter((span) => span.parentSpanId === CALLER).length,
      1,
      "one span a request",
    );

    const call = await ours("call /inbox");
    equal(call.parentSpanId, request.spanId);
    equal(call.attributes["agentd.agent"], "abc");
    equal(call.attributes["agentd.path"], "/inbox");

    const ticked = await ours("tick");
    equal(ticked.parentSpanId, request.spanId);
    deepEqual(ticked.links, [{ traceId: TRACE, spanId: request.spanId }]);
    equal(ticked.attributes["agentd.tick_id"], tick.tick_id);
    equal(ticked.attributes["agentd.envelope_id"], tick.envelope_id);
    equal(ticked.attributes["agentd.outcome"], "committed");
    equal(ticked.attributes["agentd.trace_id"], TRACE);

    // Without a trace of the caller's, the request's own is it; and a request that is refused has its span too.
    await (await fetch(`${served.url}/agents/nobody/send`, { method: "POST" })).text();
    const refused = await sink.span(({ attributes }) =>
      Number(attributes["http.response.status_code"]) === 404 &&
      attributes["http.route"] === "/agents/{id}/send"
    );
    match(refused.traceId, /^[0-9a-f]{32}$/);
    await (await fetch(`${served.url}/agents/abc/send?wait=30`, { method: "POST" })).text();
    const own = await sink.span((span) => span.name === "tick" && span.traceId !== TRACE);
    ok(await sink.span((span) => span.spanId === own.parentSpanId && /^POST/.test(span.name)));
    await served.stop();
  });
  await sink.close();
}
