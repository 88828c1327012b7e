/** `agentd send`: a message to an agent, and its replies if they are waited for. */
import { type EnvelopeId, foreignEnvelopeId } from "../core/id.ts";
import type { Json, Payload } from "../core/envelope.ts";
import { logsHint, tickFailed } from "./agent.ts";
import {
  type Action,
  answer,
  arg,
  type Call,
  option,
  printJson,
  restArg,
  withProgress,
} from "./call.ts";
import { EXIT, trouble, usage } from "./exit.ts";
import { inline, safe, span, width } from "./print.ts";
import { idOf } from "./target.ts";

/** How long `--wait` waits. */
const WAIT_SECONDS = 60;
/** Where the words on the tick stand behind short replies. */
const WORDS_COLUMN = 47;

export const send: Action = async (call) => {
  const id = idOf(arg(call, "id"));
  const payload = await payloadOf(call);
  const named = option<string>(call, "id");
  const wait = option(call, "wait") === true;
  const seconds = option<number>(call, "timeout") ?? WAIT_SECONDS;
  const server = call.server();
  const sent = await withProgress(
    call,
    wait ? `waiting for ${id}` : `sending to ${id}`,
    server.send(id, {
      payload,
      ...(named === undefined ? {} : { id: envelopeIdOf(named) }),
    }, { signal: call.signal, ...(wait ? { waitMs: seconds * 1000 } : {}) }),
  );
  if ("tick" in sent) {
    if (!sent.tick.success) throw tickFailed(call, id, sent.tick, logsHint(call, id));
    if (call.json) return printJson(call, sent);
    // How many ticks it has had is known to the agent alone, and of interest to people alone.
    const { tick_count } = await server.info(id);
    return printReplies(call, sent.replies, `tick ${tick_count} · ${span(sent.tick.duration_ms)}`);
  }
  if (sent.disposition === "dead_letter") {
    if (call.json) printJson(call, sent);
    throw trouble(
      EXIT.failed,
      `${id}'s inbox is full: ${sent.envelope_id} went to its dead letters`,
      `Put it back with: ${call.program} deadletter ${id} replay ${sent.envelope_id}`,
    );
  }
  if (wait) {
    if (call.json) printJson(call, sent);
    throw trouble(
      EXIT.failed,
      `${id} has not answered within ${seconds} s; the message is kept as ${sent.envelope_id}`,
      `Ask again with --id ${sent.envelope_id}; it is not sent twice.`,
    );
  }
  answer(call, sent, () => [
    `${sent.duplicate ? "had it already" : "queued"}   ` +
    call.terminal.paint("dim", `${sent.envelope_id} · ${sent.queue_depth} waiting`),
  ]);
};

function envelopeIdOf(text: string): EnvelopeId {
  try {
    return foreignEnvelopeId(text);
  } catch (error) {
    throw usage(`--id ${text}: ${(error as { detail?: string }).detail}`);
  }
}

async function payloadOf(call: Call): Promise<Payload> {
  const words = restArg(call, "message");
  const data = option<Json>(call, "data");
  if (data !== undefined) {
    if (words.length > 0) throw usage("--data and a message exclude each other");
    return { kind: "json", data };
  }
  if (words.length === 1 && words[0] === "-") {
    return { kind: "text", text: await new Response(call.terminal.input).text() };
  }
  if (words.length === 0) {
    const bob = `${call.program} send ${arg(call, "id")}`;
    throw usage("There is no message", `${bob} hi, or ${bob} - for what is on standard input.`);
  }
  return { kind: "text", text: words.join(" ") };
}

/**
 * The replies, and a dim word on the tick: behind the last reply on a terminal where it fits, else on a line of its own on standard error, so
 * that what a script reads is the replies alone.
 */
export function printReplies(call: Call, replies: readonly Json[], words: string): void {
  const { columns, paint, paintNote } = call.terminal;
  const lines = replies.flatMap((reply) => replyText(reply).replace(/\n$/, "").split("\n"));
  const last = lines.at(-1);
  if (columns === undefined || call.quiet) {
    for (const line of lines) call.terminal.print(line);
    if (!call.quiet) call.terminal.note(paintNote("dim", words));
    return;
  }
  for (const line of lines.slice(0, -1)) call.terminal.print(safe(line));
  if (last === undefined) return call.terminal.print(paint("dim", `no reply   ${words}`));
  const free = columns - width(safe(last)) - words.length - 1;
  const gap = Math.min(free, Math.max(3, WORDS_COLUMN - width(safe(last))));
  if (gap >= 3) return call.terminal.print(safe(last) + " ".repeat(gap) + paint("dim", words));
  call.terminal.print(safe(last));
  call.terminal.print(paint("dim", words));
}

/** A payload as its reader wants it: text as text, JSON as JSON. */
export function replyText(reply: Json): string {
  if (typeof reply === "object" && reply !== null && !Array.isArray(reply)) {
    if (reply.kind === "text" && typeof reply.text === "string") return reply.text;
    if (reply.kind === "json" && "data" in reply) return inline(reply.data);
  }
  return inline(reply);
}
