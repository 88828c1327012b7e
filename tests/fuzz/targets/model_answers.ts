/** What a model server answers: whole, streamed, refused; each broken, and cut anywhere. */
import { manualClock } from "../../../src/backends/manual_clock.ts";
import { carrier } from "../../../src/providers/compute/carrier.ts";
import { failureOf } from "../../../src/providers/compute/failure.ts";
import { speedometer } from "../../../src/providers/compute/measure.ts";
import { factsOf, kindsOf, listIn } from "../../../src/providers/compute/models.ts";
import { ask, clientOf } from "../../../src/providers/compute/wire.ts";
import type { Delta, ModelCall } from "../../../src/core/compute.ts";
import { codeOf, CODES } from "../../../src/fs/error.ts";
import { ok } from "../../assert.ts";
import { brokenText, partsOf, sizesOf } from "../mutate.ts";
import type { Target } from "../target.ts";

const part = (value: unknown) => `data: ${JSON.stringify(value)}\n\n`;
const STREAM = part({ choices: [{ index: 0, delta: { role: "assistant", content: "Hel" } }] }) +
  part({ choices: [{ index: 0, delta: { content: "lo" }, finish_reason: null }] }) +
  part({
    choices: [{
      delta: { tool_calls: [{ index: 0, id: "c", function: { name: "f", arguments: '{"a":1}' } }] },
    }],
  }) +
  part({ choices: [{ index: 0, delta: {}, finish_reason: "stop" }], model: "m" }) +
  part({ choices: [], usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 } }) +
  "data: [DONE]\n\n";
const BODIES = [
  STREAM,
  JSON.stringify({
    object: "chat.completion",
    model: "m",
    choices: [{
      index: 0,
      message: { role: "assistant", content: "Hello" },
      finish_reason: "stop",
    }],
    usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 },
  }),
  JSON.stringify({
    object: "text_completion",
    choices: [{ index: 0, text: "x", finish_reason: "stop" }],
  }),
  JSON.stringify({ data: [{ index: 0, embedding: [0.5, -1, 1e-7] }], model: "m" }),
  JSON.stringify({
    error: { message: "no such model", type: "invalid_request_error", code: null },
  }),
  part({ error: { message: "CUDA error", code: 502 } }),
  JSON.stringify({ data: [{ id: "m", max_model_len: 4096, pricing: { prompt: "0.1" } }] }),
];
const KINDS = ["chat", "complete", "embeddings"] as const;
const INPUTS = {
  chat: { messages: [{ role: "user", content: "Hello?" }] },
  complete: { prompt: "Hello" },
  embeddings: { text: "Hello" },
} as const;
const STATUSES = [200, 200, 200, 200, 200, 400, 401, 404, 429, 500, 503, 204, 302];

export const target: Target<{
  body: string;
  sizes: number[];
  kind: number;
  stream: boolean;
  status: number;
  after: string;
}> = {
  about: "whatever a model server answers becomes an answer or a failure of the closed list",
  sample: 1_500,
  make: (chance) => ({
    body: chance.percent(15)
      ? chance.pick(BODIES)
      : brokenText(chance, chance.pick(BODIES), BODIES),
    sizes: sizesOf(chance),
    kind: chance.percent(70) ? 0 : chance.below(KINDS.length),
    stream: chance.percent(70),
    status: chance.pick(STATUSES),
    after: brokenText(chance, "Thu, 01 Jan 1970 00:00:09 GMT", ["7", "0.5"]),
  }),
  async begin() {
    const clock = manualClock(1_000);
    let answer = () => new Response();
    const carry = carrier({
      world: { fetch: () => Promise.resolve(answer()), now: clock.now, timer: clock.timer },
      key: () => "sk-secret-key-of-the-house",
      stallMs: 1_000,
      maxBytes: 100_000,
    });
    const client = await clientOf("http://127.0.0.1:9/v1", carry);
    const speeds = speedometer(clock.now);
    return {
      async try({ body, sizes, kind: at, stream, status, after }) {
        const kind = KINDS[at] ?? "chat";
        answer = () => {
          const isBodiless = status === 204;
          const headers = new Headers({
            "content-type": body.startsWith("data") ? "text/event-stream" : "application/json",
          });
          if (/^[\x20-\x7e]*$/.test(after)) headers.set("retry-after", after);
          const parts = partsOf(new TextEncoder().encode(body), sizes);
          return new Response(isBodiless ? null : ReadableStream.from(parts), { status, headers });
        };
        const deltas: Delta[] = [];
        const call: ModelCall = {
          job_id: "j1",
          kind,
          model: "m",
          input: INPUTS[kind],
          stream: stream && kind !== "embeddings",
          max_cost_micro_usd: 0,
        } as unknown as ModelCall;
        const signal = new AbortController().signal;
        const sink = { delta: (delta: Delta) => Promise.resolve(void deltas.push(delta)) };
        try {
          const result = await ask(client, { call, sink, signal, watch: speeds.start() });
          JSON.stringify([result, deltas]);
          ok(typeof result.model === "string");
        } catch (error) {
          const failure = failureOf(error, { what: "m", signal, now: clock.now });
          const code = codeOf(failure);
          ok(code !== "internal", `${String(error)}\n${(error as Error).stack}`);
          ok(Object.hasOwn(CODES, code));
          ok(!String(failure).includes("sk-secret-key"), String(failure));
        }
        try {
          for (const model of listIn(JSON.parse(body)) ?? []) factsOf(model) && kindsOf(model.id);
        } catch (error) {
          if (!(error instanceof SyntaxError)) throw error;
        }
        ok(clock.waiting() === 0, "a timer is left");
      },
    };
  },
};
