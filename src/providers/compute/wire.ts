/** Calls of an OpenAI-compatible server, in its own protocol: chat, completion and embeddings. */
import type { OpenAI } from "openai/client";
import { z } from "zod";
import { FileError } from "../../fs/error.ts";
import {
  type CallResult,
  type CallSink,
  chatInput,
  completeInput,
  type Delta,
  embeddingsInput,
  MAX_TIMEOUT_MS,
  type ModelCall,
} from "../../core/compute.ts";
import {
  chatAnswer,
  completeAnswer,
  embeddingsAnswer,
  type Gathered,
  gatherer,
  outputOf,
  usageIn,
} from "./answer.ts";
import type { Fetch } from "./carrier.ts";
import { garbage } from "./failure.ts";
import type { Stopwatch } from "./measure.ts";

export interface Calling {
  readonly call: ModelCall;
  readonly sink: CallSink;
  readonly signal: AbortSignal;
  readonly watch: Stopwatch;
  readonly adapt?: Adapt | undefined;
}

/** The words in which one vendor wants what others take as it is. */
export type Adapt = (chat: Readonly<Record<string, unknown>>) => Record<string, unknown>;

/**
 * A client of one server. It reads nothing from the environment that it would send, repeats nothing, logs nothing, and never sees a key:
 * whoever carries its requests adds that. Loaded when it is first needed, for it is large.
 */
export async function clientOf(url: string, carry: Fetch): Promise<OpenAI> {
  const { OpenAI } = await import("openai/client");
  return new OpenAI({
    baseURL: url,
    apiKey: "none",
    adminAPIKey: null,
    organization: null,
    project: null,
    webhookSecret: null,
    // Whoever calls has a time limit of its own, and the carrier one for silence.
    timeout: MAX_TIMEOUT_MS,
    maxRetries: 0,
    logLevel: "off",
    fetch: carry as typeof fetch,
    // It holds no secret that a page could lose.
    dangerouslyAllowBrowser: true,
  });
}

/** Runs one call to its end. Rejects with what the SDK throws, and with `not_supported` or `invalid_request`. */
export async function ask(client: OpenAI, calling: Calling): Promise<CallResult> {
  const { kind } = calling.call;
  switch (kind) {
    case "chat":
      return await chat(client, calling);
    case "complete":
      return await complete(client, calling);
    case "embeddings":
      return await embeddings(client, calling);
    default:
      throw refusal(
        "not_supported",
        calling.call,
        `no ${kind} here, only chat, complete and embeddings`,
      );
  }
}

async function chat(client: OpenAI, calling: Calling): Promise<CallResult> {
  const { call, signal, adapt } = calling;
  const body = bodyOf(call, chatInput);
  // What goes along is the caller's, and this server's to refuse, whatever the SDK's types say.
  const asked = (adapt?.(body) ?? body) as unknown as OpenAI.ChatCompletionCreateParams;
  const { completions } = client.chat;
  if (call.stream) {
    const stream = await completions.create({ ...asked, ...STREAMED }, { signal });
    return await gathered(calling, stream, "chat");
  }
  const answer = chatAnswer.safeParse(
    await completions.create({ ...asked, stream: false }, { signal }),
  );
  if (!answer.success) throw garbage(call.model);
  const { choices: [choice], model, usage } = answer.data;
  const parts = gatherer(callIdOf(call));
  parts.chat({
    choices: [{ delta: choice!.message, finish_reason: choice!.finish_reason }],
    usage,
    model,
  });
  return wholeOf(calling, parts.whole);
}

async function complete(client: OpenAI, calling: Calling): Promise<CallResult> {
  const { call, signal } = calling;
  const asked = bodyOf(call, completeInput) as OpenAI.CompletionCreateParams;
  if (call.stream) {
    const stream = await client.completions.create({ ...asked, ...STREAMED }, { signal });
    return await gathered(calling, stream, "complete");
  }
  const answer = completeAnswer.safeParse(
    await client.completions.create({ ...asked, stream: false }, { signal }),
  );
  if (!answer.success || answer.data.choices.length === 0) throw garbage(call.model);
  const parts = gatherer(callIdOf(call));
  parts.complete(answer.data);
  return wholeOf(calling, parts.whole);
}

async function embeddings(client: OpenAI, { call, signal, watch }: Calling): Promise<CallResult> {
  const input = parsed(call, embeddingsInput);
  const texts = "text" in input ? [input.text] : input.texts;
  const answer = embeddingsAnswer.safeParse(
    await client.embeddings.create(
      { model: call.model, input: texts, encoding_format: "float" },
      { signal },
    ),
  );
  if (!answer.success || answer.data.data.length !== texts.length) throw garbage(call.model);
  const { data, model, usage } = answer.data;
  const inOrder = data.map((one, i) => ({ at: one.index ?? i, embedding: one.embedding }))
    .sort((a, b) => a.at - b.at);
  const used = usageIn(usage);
  watch.whole(undefined);
  return {
    output: { embeddings: inOrder.map(({ embedding }) => embedding) },
    usage: used,
    model: model || call.model,
  };
}

const STREAMED = { stream: true, stream_options: { include_usage: true } } as const;

/** Hands each part on before the next is read. */
async function gathered(
  calling: Calling,
  stream: AsyncIterable<unknown>,
  kind: "chat" | "complete",
): Promise<CallResult> {
  const { call, sink, signal, watch } = calling;
  const parts = gatherer(callIdOf(call));
  try {
    for await (const part of stream) {
      const delta = partOf(call, () => parts[kind](part));
      if (delta === undefined) continue;
      watch.first();
      await sink.delta(delta);
    }
  } catch (error) {
    // Behind its end only the usage is missing, and without it the answer is still one.
    if (signal.aborted || parts.whole.finish_reason === undefined) throw error;
  }
  signal.throwIfAborted();
  return wholeOf(calling, parts.whole);
}

function partOf(call: ModelCall, read: () => Delta | undefined): Delta | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof z.ZodError) throw garbage(call.model);
    throw error;
  }
}

function wholeOf({ call, watch }: Calling, whole: Gathered): CallResult {
  if (call.stream && whole.finish_reason === undefined) {
    throw new FileError("provider_unavailable", "ask", call.model, {
      detail: "the model server ended its answer in the middle",
      extra: { retryable: true },
    });
  }
  watch.whole(whole.usage);
  return { output: outputOf(whole), usage: whole.usage, model: whole.model || call.model };
}

/** What goes to the server: the input as it is, but for what the call says. */
function bodyOf<T extends object>(call: ModelCall, schema: z.ZodType<T>): T & { model: string } {
  const input = parsed(call, schema);
  if ("n" in input && input.n !== 1) {
    throw refusal("invalid_request", call, "one answer a call: n is 1");
  }
  return { ...input, model: call.model };
}

function parsed<T>(call: ModelCall, schema: z.ZodType<T>): T {
  const { data, error } = schema.safeParse(call.input);
  if (error) throw refusal("invalid_request", call, z.prettifyError(error).slice(0, 500));
  return data;
}

function callIdOf({ job_id }: ModelCall): (index: number) => string {
  return (index) => `call_${job_id}_${index}`;
}

function refusal(
  code: "invalid_request" | "not_supported",
  { model }: ModelCall,
  detail: string,
): FileError {
  return new FileError(code, "ask", model, { detail, extra: { asked: false, retryable: false } });
}
