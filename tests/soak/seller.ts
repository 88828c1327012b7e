/** A model server that lives as long as the soak does, at a price, and remembers what it was asked for. */

export interface Seller extends AsyncDisposable {
  /** As the settings of a server name it. */
  readonly url: string;
  /** What was asked, as often as it was, in micro-USD that it has come to. */
  readonly asked: ReadonlyMap<string, number>;
}

export const MODEL = "talks";
/** Micro-USD for a million tokens: one micro-USD a token. */
export const PRICE = {
  input_micro_usd_per_mtok: 1_000_000,
  output_micro_usd_per_mtok: 1_000_000,
};
/** Tokens of each question and each answer. */
const IN = 20;
const OUT = 5;
/** An answer takes up to so many milliseconds, so that some are cut off. */
const SLOWEST_MS = 60;
/** What one answer costs, in micro-USD. */
export const COST = IN + OUT;

export function openSeller(): Seller {
  const asked = new Map<string, number>();
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      if (new URL(request.url).pathname === "/v1/models") {
        return Response.json({ object: "list", data: [{ id: MODEL, object: "model" }] });
      }
      const { messages } = await request.json() as { messages: { content: string }[] };
      const what = messages.at(-1)!.content;
      asked.set(what, (asked.get(what) ?? 0) + 1);
      const slow = [...what].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) % SLOWEST_MS;
      await new Promise((resolve) => setTimeout(resolve, slow));
      return Response.json({
        id: "answer",
        object: "chat.completion",
        created: 0,
        model: MODEL,
        choices: [{
          index: 0,
          message: { role: "assistant", content: "sold" },
          finish_reason: "stop",
        }],
        usage: { prompt_tokens: IN, completion_tokens: OUT, total_tokens: COST },
      });
    },
  );
  return {
    url: `http://127.0.0.1:${server.addr.port}/v1`,
    asked,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}
