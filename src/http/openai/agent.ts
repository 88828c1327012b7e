/** An agent as a model: the last message of the user is sent to it, and its replies are the answer. */
import type { Backend } from "../../core/backend.ts";
import type { Delta } from "../../core/compute.ts";
import type { Json, Payload } from "../../core/envelope.ts";
import type { AgentId } from "../../core/id.ts";
import type { Runtime, Waited } from "../../core/runtime.ts";
import type { Receipt } from "../../core/view.ts";
import { FileError } from "../../fs/error.ts";
import type { FileService } from "../../fs/file.ts";
import { joined } from "../bytes.ts";
import { begun } from "../read.ts";
import { idOfKey, traced } from "../send.ts";
import type { Visit } from "../visit.ts";
import { type ChatAsk, type Message, wrong } from "./ask.ts";
import { AGENT_PREFIX } from "./models.ts";
import type { Outcome, Run } from "./run.ts";
import { listen, type Word } from "./words.ts";

/** How long a reply is waited for where `?wait=` does not say. Shorter than what clients wait by themselves, so that they are told. */
export const WAIT_MS = 300_000;
/** Characters of JSON of a conversation that go along with a message; older messages of a longer one stay behind. */
export const MAX_HISTORY_CHARS = 256 * 1024;
const INBOX = "/inbox";
/** Between two replies to one message. */
const BETWEEN = "\n";
/** Between what a model says on the way and what comes then. */
const APART = "\n\n";

export interface AgentAsk {
  readonly text: string;
  /** As the client sent them; the agent finds them in `trigger.meta.extra.chat`. */
  readonly messages: readonly Json[];
}

/** What a chat asks of an agent. @throws FileError `invalid_request` for what no agent can promise */
export function agentAsk({ messages, ...ask }: ChatAsk): AgentAsk {
  const format = ask["response_format"] as { type?: unknown } | null | undefined;
  if (format && format.type !== "text") {
    throw wrong("response_format", "an agent replies in its own form; only text can be asked for");
  }
  const choice = ask["tool_choice"];
  if (choice === "required" || (typeof choice === "object" && choice !== null)) {
    throw wrong("tool_choice", "an agent calls no tools of its client's; it has its own files");
  }
  const last = messages.findLast(({ role }) => role === "user");
  if (!last) throw wrong("messages", "there is no message of the user's that could be sent");
  return { text: textOf(last), messages: recent(messages) };
}

function textOf({ content }: Message): string {
  if (typeof content === "string") return content;
  const parts = content ?? [];
  const other = parts.find(({ type }) => type !== "text");
  if (other) {
    throw wrong("messages", `an agent takes text alone, and there is a part "${other.type}"`);
  }
  return parts.map(({ text }) => String(text)).join("\n");
}

/** The last messages, as many as there is room for. */
function recent(messages: readonly Message[]): Json[] {
  const kept: Json[] = [];
  let chars = 0;
  for (const message of messages.toReversed()) {
    chars += JSON.stringify(message).length;
    if (chars > MAX_HISTORY_CHARS) break;
    kept.unshift(message as Json);
  }
  return kept;
}

export interface AgentDeps {
  readonly runtime: Runtime;
  readonly clock: Pick<Backend, "now" | "timer">;
  /** The agent's, as the caller may use them. */
  readonly files: FileService;
}

export interface Terms {
  readonly waitMs: number;
  /** What its models say is passed on as they say it. */
  readonly stream: boolean;
}

/** Sends the message; durable when it resolves. @throws FileError what a send is refused with; `not_ready` for an agent that is stopped */
export async function askAgent(
  { runtime, clock, files }: AgentDeps,
  id: AgentId,
  ask: AgentAsk,
  { waitMs, stream }: Terms,
  visit: Visit,
  signal: AbortSignal,
): Promise<Run> {
  const answered = new AbortController();
  const listening = AbortSignal.any([answered.signal, signal]);
  const words = stream ? await listen(files, clock.now(), listening) : undefined;
  const receipt = await sent(runtime, files, id, envelopeFor(ask, visit)).catch((error) => {
    answered.abort();
    throw error;
  });
  async function* parts(): Run["parts"] {
    const over = new AbortController();
    const cancel = clock.timer(waitMs, () => over.abort());
    try {
      const both = AbortSignal.any([over.signal, signal]);
      const waiting = runtime.wait(id, receipt.envelope_id, both)
        .finally(() => answered.abort());
      waiting.catch(() => {});
      const before = words ? yield* spoken(words.of(receipt.envelope_id)) : undefined;
      const done = await waiting;
      if (!done) throw over.signal.aborted ? tooLate(id, waitMs) : stopped(id);
      const texts = repliesOf(id, done);
      yield* unsaid(texts, before);
      return outcomeOf(texts, receipt, done);
    } finally {
      cancel();
      answered.abort();
    }
  }
  // What was accepted is durable, and its reply stays in the outbox: nobody can take it back.
  return { id: receipt.envelope_id, parts: parts(), leave: () => Promise.resolve() };
}

/** Each job's words, apart from those of the one before. Returns what the last one has said; undefined: none has said anything. */
async function* spoken(words: AsyncIterable<Word>): AsyncGenerator<Delta, string | undefined> {
  let said: string | undefined;
  let last = "";
  for await (const { job, text } of words) {
    if (said !== undefined && job !== last) yield { content: APART };
    said = job === last ? said + text : text;
    last = job;
    yield { content: text };
  }
  return said;
}

/** The replies, without what of the first one has been said already. */
function* unsaid(texts: readonly string[], said: string | undefined): Generator<Delta> {
  for (const [n, text] of texts.entries()) {
    if (n > 0) yield { content: BETWEEN + text };
    else if (said === undefined) yield { content: text };
    else if (!text.startsWith(said)) yield { content: APART + text };
    else if (text !== said) yield { content: text.slice(said.length) };
  }
}

function envelopeFor({ text, messages }: AgentAsk, visit: Visit): { [name: string]: Json } {
  const key = visit.request.headers.get("idempotency-key");
  return traced({
    payload: { kind: "text", text },
    metadata: { extra: { chat: { messages: [...messages] } } },
    ...(key === null ? {} : { id: idOfKey(key) }),
  }, visit);
}

/** An agent that is stopped is not written to: its answer would come when nobody waits for it. */
async function sent(
  runtime: Runtime,
  files: FileService,
  id: AgentId,
  envelope: { [name: string]: Json },
): Promise<Receipt> {
  const abort = new AbortController();
  const options = { type: "application/json", signal: abort.signal };
  // Whether the caller may send at all comes first.
  const handle = await files.open(INBOX, "call", options);
  try {
    const { state } = await runtime.info(id);
    if (state === "paused" || state === "failed") {
      throw new FileError("not_ready", "ask", AGENT_PREFIX + id, {
        detail: `${id} is ${state} and answers nobody until it is resumed: ` +
          `POST /agents/${id}/resume`,
      });
    }
    await handle.write(new TextEncoder().encode(JSON.stringify(envelope)));
    const { chunks } = await begun(handle);
    const receipt = JSON.parse(new TextDecoder().decode(joined(chunks))) as Receipt;
    if (receipt.disposition === "queued") return receipt;
    throw new FileError("inbox_full", "ask", AGENT_PREFIX + id, {
      detail: "its inbox is full; the message went to its dead letters",
    });
  } finally {
    abort.abort();
    await handle.close().catch(() => {});
  }
}

/** @throws FileError the one with which its last try failed */
function repliesOf(id: AgentId, { tick, replies }: Waited): string[] {
  if (tick.success || replies.length > 0) return replies.map(asText);
  const { code, message } = tick.error ?? { code: "agent_error", message: "its tick failed" };
  const detail = `${id} failed: ${message}`;
  throw new FileError(hidden(code) ? "agent_error" : code, "ask", AGENT_PREFIX + id, { detail });
}

/** What failed inside the server is told to its operator, who reads it in the agent's files. */
function hidden(code: string): boolean {
  return code === "internal" || code === "io" || code === "corrupt";
}

/** Text as it is, JSON as JSON, bytes as a data URL. */
function asText(reply: Json): string {
  const payload = reply as unknown as Payload;
  switch (payload.kind) {
    case "text":
      return payload.text;
    case "json":
    case "agent_message":
      return typeof payload.data === "string" ? payload.data : JSON.stringify(payload.data);
    case "binary":
      return `data:${payload.type ?? "application/octet-stream"};base64,${payload.data}`;
    default:
      return JSON.stringify(reply);
  }
}

function outcomeOf(texts: readonly string[], receipt: Receipt, { tick }: Waited): Outcome {
  const { envelope_id, duplicate } = receipt;
  return {
    text: texts.join(BETWEEN),
    finish_reason: "stop",
    more: { envelope_id, tick_id: tick.tick_id, duplicate },
  };
}

function tooLate(id: AgentId, waitMs: number): FileError {
  return new FileError("timeout", "ask", AGENT_PREFIX + id, {
    detail:
      `${id} has not answered within ${waitMs / 1000} s. The message stays with it, and its ` +
      `reply will be in /agents/${id}/outbox; ?wait=<seconds> waits longer, and the same ` +
      "Idempotency-Key waits on for the same message",
  });
}

function stopped(id: AgentId): FileError {
  const detail = "the server stops, or the client has left; the message stays with the agent";
  return new FileError("interrupted", "ask", AGENT_PREFIX + id, { detail });
}
