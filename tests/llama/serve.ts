/** The program of `server.ts`: an OpenAI-compatible server around llama.cpp, a process of its own, so that it can be killed and cannot take a test down. */
import { type Engine, engineOf, type Generated } from "./engine.ts";
import { CALL_CLOSE, CALL_OPEN, type CallReply, type ModelFile, modelFile } from "./model.ts";
import { type Report, reportLine, type Setup } from "./protocol.ts";

export const MODEL = "tiny";
export const ENDLESS_MODEL = "tiny-endless";
const MODELS = [MODEL, ENDLESS_MODEL];

interface Message {
  readonly role: string;
  readonly content?: string | null | readonly { readonly text?: string }[];
  readonly tool_calls?: unknown;
}
interface Body {
  readonly model: string;
  readonly messages?: readonly Message[];
  readonly prompt?: string;
  readonly input?: string | readonly string[];
  readonly tools?: readonly unknown[];
  readonly max_tokens?: number;
  readonly max_completion_tokens?: number;
  readonly temperature?: number;
  readonly stop?: string | readonly string[];
  readonly response_format?: unknown;
  readonly stream?: boolean;
  readonly stream_options?: { readonly include_usage?: boolean };
}

function report(event: Report): void {
  const line = new TextEncoder().encode(reportLine(event));
  for (let at = 0; at < line.length;) at += Deno.stdout.writeSync(line.subarray(at));
}

function refused(status: number, message: string, code: string | null = null): Response {
  return Response.json({ error: { message, type: "invalid_request_error", param: null, code } }, {
    status,
  });
}

interface Served {
  readonly engine: Engine;
  readonly file: ModelFile;
  readonly setup: Setup;
}

/** What is to be generated, in the words of the engine. */
function promptOf({ engine, file, setup }: Served, body: Body): {
  prompt: string;
  grammar?: string;
} {
  if (body.messages === undefined) {
    const start = body.model === ENDLESS_MODEL ? file.endless : file.starts[0]!;
    return { prompt: (body.prompt ?? "") + start };
  }
  const messages = body.messages.map(({ role, content, tool_calls }) => ({
    role,
    content: typeof content === "string"
      ? content
      : content?.map((part) => part.text ?? "").join("") ?? JSON.stringify(tool_calls ?? ""),
  }));
  const { prompt, grammar } = engine.prompt(messages, body.response_format);
  const start = body.model === ENDLESS_MODEL ? file.endless : file.starts[turnOf(setup, body)]!;
  return { prompt: prompt + start, ...(grammar === undefined ? {} : { grammar }) };
}

/** Which reply comes now: one for each answer given so far, or since the last word of the user; the last one stays. Calls only for who has tools. */
function turnOf({ replies, wholeTalk }: Setup, { messages = [], tools }: Body): number {
  const last = messages.findLastIndex(({ role }) => role === "user");
  const since = wholeTalk ? messages : messages.slice(last + 1);
  const answers = since.filter(({ role }) => role === "assistant").length;
  const open = [...replies.keys()].filter((i) => tools?.length || typeof replies[i] === "string");
  return open[Math.min(answers, open.length - 1)] ?? 0;
}

function generationOf(served: Served, body: Body) {
  const stop = typeof body.stop === "string" ? [body.stop] : body.stop;
  return {
    ...promptOf(served, body),
    n_predict: body.max_completion_tokens ?? body.max_tokens ?? -1,
    temperature: body.temperature ?? 0.8,
    ...(stop === undefined ? {} : { stop }),
  };
}

/** Runs it to its end, or to the client's leaving. */
async function run(
  served: Served,
  body: Body,
  onText: (text: string) => void,
  signal: AbortSignal,
): Promise<Generated> {
  let begun = false;
  const heard = (text: string) => {
    if (!begun) report({ event: "generating" });
    begun = true;
    onText(text);
  };
  try {
    return await served.engine.generate(generationOf(served, body), heard, signal);
  } catch (error) {
    if (signal.aborted) report({ event: "cancelled" });
    throw error;
  }
}

function usageOf({ tokens_predicted }: Generated, prompt_tokens: number) {
  const total_tokens = prompt_tokens + tokens_predicted;
  return { prompt_tokens, completion_tokens: tokens_predicted, total_tokens };
}

function callIn(text: string): CallReply | undefined {
  if (!text.startsWith(CALL_OPEN) || !text.endsWith(CALL_CLOSE)) return undefined;
  return JSON.parse(text.slice(CALL_OPEN.length, -CALL_CLOSE.length)) as CallReply;
}

function finishOf(result: Generated): string {
  return result.stopped_eos || result.stopped_word ? "stop" : "length";
}

async function whole(served: Served, body: Body, signal: AbortSignal): Promise<Response> {
  const result = await run(served, body, () => {}, signal);
  const usage = usageOf(result, await served.engine.countTokens(promptOf(served, body).prompt));
  const base = { id: `chatcmpl-${crypto.randomUUID()}`, model: body.model, usage };
  const finish_reason = finishOf(result);
  if (body.messages === undefined) {
    const choices = [{ index: 0, text: result.text, finish_reason }];
    return Response.json({ ...base, object: "text_completion", choices });
  }
  const call = callIn(result.text);
  const message = call === undefined
    ? { role: "assistant", content: result.text }
    : { role: "assistant", content: null, tool_calls: [toolCall(call)] };
  const choices = [{ index: 0, message, finish_reason: call ? "tool_calls" : finish_reason }];
  return Response.json({ ...base, object: "chat.completion", choices });
}

function toolCall(call: CallReply) {
  return {
    id: `call_${crypto.randomUUID()}`,
    type: "function",
    function: { name: call.name, arguments: JSON.stringify(call.arguments) },
  };
}

function streamed(served: Served, body: Body): Response {
  const left = new AbortController(), encoder = new TextEncoder();
  const base = { id: `chatcmpl-${crypto.randomUUID()}`, model: body.model };
  const chat = body.messages !== undefined;
  const object = chat ? "chat.completion.chunk" : "text_completion";
  const stream = new ReadableStream<Uint8Array>({
    async start(controller) {
      const send = (value: unknown) =>
        controller.enqueue(encoder.encode(`data: ${JSON.stringify(value)}\n\n`));
      const part = (delta: unknown, finish_reason: string | null = null) =>
        send({
          ...base,
          object,
          choices: [{ index: 0, ...(chat ? { delta } : {}), finish_reason }],
        });
      const text = (content: string) =>
        chat
          ? part({ content })
          : send({ ...base, object, choices: [{ index: 0, text: content, finish_reason: null }] });
      try {
        const finish = await streamText(served, body, text, part, left.signal);
        part({}, finish.reason);
        if (body.stream_options?.include_usage) {
          send({ ...base, object, choices: [], usage: finish.usage });
        }
        controller.enqueue(encoder.encode("data: [DONE]\n\n"));
        controller.close();
      } catch (error) {
        if (!left.signal.aborted) controller.error(error);
      }
    },
    cancel: () => left.abort(),
  });
  return new Response(stream, { headers: { "content-type": "text/event-stream" } });
}

/** Text as it comes; what may become a call is held back until it is one. */
async function streamText(
  served: Served,
  body: Body,
  text: (content: string) => void,
  part: (delta: unknown) => void,
  signal: AbortSignal,
) {
  let held: string | undefined = body.tools?.length ? "" : undefined;
  const heard = (piece: string) => {
    if (held === undefined) return text(piece);
    held += piece;
    if (CALL_OPEN.startsWith(held) || held.startsWith(CALL_OPEN)) return;
    text(held);
    held = undefined;
  };
  const result = await run(served, body, heard, signal);
  const usage = usageOf(result, await served.engine.countTokens(promptOf(served, body).prompt));
  const call = held === undefined ? undefined : callIn(held);
  if (call === undefined) {
    if (held) text(held);
    return { reason: finishOf(result), usage };
  }
  const { id, type, function: { name, arguments: all } } = toolCall(call);
  part({ tool_calls: [{ index: 0, id, type, function: { name, arguments: "" } }] });
  const middle = Math.ceil(all.length / 2);
  for (const piece of [all.slice(0, middle), all.slice(middle)]) {
    part({ tool_calls: [{ index: 0, function: { arguments: piece } }] });
  }
  return { reason: "tool_calls", usage };
}

async function embeddings({ engine }: Served, body: Body): Promise<Response> {
  const texts = typeof body.input === "string" ? [body.input] : body.input ?? [];
  const data = [];
  let prompt_tokens = 0;
  for (const [index, text] of texts.entries()) {
    prompt_tokens += await engine.countTokens(text);
    data.push({ object: "embedding", index, embedding: await engine.embed(text) });
  }
  const usage = { prompt_tokens, total_tokens: prompt_tokens };
  return Response.json({ object: "list", model: body.model, data, usage });
}

async function answer(served: Served, request: Request): Promise<Response> {
  const { pathname } = new URL(request.url);
  if (pathname === "/v1/models" && request.method === "GET") {
    const data = MODELS.map((id) => ({ id, object: "model", created: 0, owned_by: "llamacpp" }));
    return Response.json({ object: "list", data });
  }
  if (request.method !== "POST") return refused(404, `there is no ${pathname}`);
  const body = await request.json().catch(() => undefined) as Body | undefined;
  if (body === undefined) return refused(400, "the body is no JSON");
  if (!MODELS.includes(body.model)) {
    return refused(404, `The model \`${body.model}\` does not exist`, "model_not_found");
  }
  if (pathname === "/v1/embeddings") return await embeddings(served, body);
  const chat = pathname === "/v1/chat/completions";
  if (!chat && pathname !== "/v1/completions") return refused(404, `there is no ${pathname}`);
  if (chat ? !body.messages?.length : typeof body.prompt !== "string") {
    return refused(400, chat ? "'messages' is required" : "'prompt' is required");
  }
  return body.stream ? streamed(served, body) : await whole(served, body, request.signal);
}

if (import.meta.main) {
  const setup = JSON.parse(Deno.args[0]!) as Setup;
  const file = modelFile(MODEL, setup.replies);
  await Deno.writeFile(`${setup.dir}/model.gguf`, file.bytes);
  const served = { engine: await engineOf(`${setup.dir}/model.gguf`), file, setup };
  Deno.serve({
    hostname: "127.0.0.1",
    port: 0,
    onListen: ({ port }) => report({ event: "listening", port }),
  }, (request) => answer(served, request));
  // Nothing is written there: its end is that of who started this.
  for await (const _ of Deno.stdin.readable);
  await Deno.remove(setup.dir, { recursive: true });
  Deno.exit();
}
