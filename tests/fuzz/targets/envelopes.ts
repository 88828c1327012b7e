/** What is sent to an agent, and the ids and times in it. */
import { memoryBackend } from "../../../src/backends/memory.ts";
import { envelopeToJson, type Json, parseEnvelope } from "../../../src/core/envelope.ts";
import { agentId, envelopeId, isoTime, microUsd, timestamp } from "../../../src/core/id.ts";
import { parseJson } from "../../../src/core/strange.ts";
import type { Live } from "../../../src/core/live.ts";
import { inTrace, parseTraceparent, traceparentOf } from "../../../src/core/tracer.ts";
import { seal } from "../../../src/core/seal.ts";
import { idOfKey } from "../../../src/http/send.ts";
import { deepEqual, equal, match, ok } from "../../assert.ts";
import { refusing } from "../expect.ts";
import { anyJson, anyText, brokenJson, brokenText } from "../mutate.ts";
import type { Target } from "../target.ts";

const VALID: readonly Json[] = [
  { payload: "hello" },
  { id: "first-1", payload: { kind: "text", text: "hello" } },
  { payload: { kind: "json", data: { a: [1, null, true] } } },
  { payload: { kind: "binary", data: "aGVsbG8=", type: "text/plain" } },
  {
    id: "a.b:c",
    payload: { any: "thing" },
    metadata: {
      trace_id: "t",
      parent_id: "p",
      expires_at: "2026-01-01T00:00:00Z",
      extra: { x: 1 },
    },
  },
  {
    payload: 1,
    metadata: { expires_at: 1_767_225_600_000 },
    timestamp: 5,
    source: { kind: "agent" },
  },
];
const WORDS = [
  "abc",
  "env_0190f1e9-0000-7000-8000-000000000000",
  "job:1:done",
  "2026-01-01T00:00:00.000Z",
  "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
  "list",
];

/** As it comes in at every door; undefined: too deep. */
function parsed(json: string): Json | undefined {
  try {
    return parseJson(json);
  } catch (error) {
    ok(error instanceof SyntaxError, String(error));
  }
}

export const target: Target<{ value: Json; text: string }> = {
  about: "what is sent becomes an envelope that reads back as it was written, or is refused",
  make: (chance) => ({
    value: chance.percent(85) ? brokenJson(chance, chance.pick(VALID)) : anyJson(chance),
    text: chance.percent(80) ? brokenText(chance, chance.pick(WORDS)) : anyText(chance, 12),
  }),
  begin() {
    const live = { backend: memoryBackend() } as unknown as Live;
    return {
      try({ value: given, text }) {
        const value = parsed(JSON.stringify(given));
        if (value === undefined) return;
        const input = refusing(() => parseEnvelope(value), "invalid_request");
        if (input) {
          const sealed = seal(live, input, { kind: "http", principal: "local" });
          const json = envelopeToJson(sealed);
          const written = JSON.stringify(json);
          // V8 14.7 and 15.0 may read a name with an escape as another that stood at its place in an earlier text.
          if (!/\\/.test(written)) equal(JSON.stringify(JSON.parse(written)), written);
          match(sealed.id, /^[A-Za-z0-9._:-]{1,128}$/);
          ok(!/^(?:job|msg|alarm|approval|nostr|hook):|^tick_/.test(sealed.id), sealed.id);
          deepEqual(parseEnvelope({ ...input }).payload, input.payload);
        }
        for (const parse of [agentId, envelopeId, idOfKey, microUsd]) {
          refusing(() => parse(text), "invalid_request");
        }
        const time = refusing(() => timestamp(text), "invalid_request");
        if (time !== undefined) deepEqual(timestamp(isoTime(time)), time);
        const trace = parseTraceparent(text);
        if (trace) {
          deepEqual(parseTraceparent(traceparentOf(trace)), trace);
          inTrace({}, trace);
        }
      },
    };
  },
};
