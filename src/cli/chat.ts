/** `agentd chat`: a conversation with an agent, on a terminal or through a pipe. */
import type { LifecycleState } from "../core/agent.ts";
import type { AgentId } from "../core/id.ts";
import { logsHint, tickFailed } from "./agent.ts";
import { type Action, arg, type Call, printJson, restArg } from "./call.ts";
import { type Answered, type Exchange, exchange, leftOf } from "./chat/exchange.ts";
import { lines } from "./chat/lines.ts";
import { notes, screen } from "./chat/screen.ts";
import { costOf } from "./chat/words.ts";
import { EXIT, EXIT_INTERRUPTED, lineOf } from "./exit.ts";
import { onInterrupt } from "./interrupt.ts";
import { safe } from "./print.ts";
import { replyText } from "./send.ts";
import { idOf } from "./target.ts";

const PROMPT = "> ";

export const chat: Action = async (call) => {
  const id = idOf(arg(call, "id"));
  const words = restArg(call, "message");
  const talk = talkOf(call, id);
  // An agent that is not there is told before somebody types.
  noteState(call, id, (await call.server().info(id)).state);
  if (words.length > 0) {
    await talk.say(words.join(" "));
    if (talk.wasCancelled) Deno.exit(EXIT_INTERRUPTED);
    return;
  }
  const asks = call.terminal.inputIsTerminal && call.terminal.columns !== undefined && !call.json;
  const prompt = () => asks && call.terminal.raw(new TextEncoder().encode(PROMPT));
  prompt();
  for await (const line of lines(call.terminal.input)) {
    if (line.trim() !== "") await (asks ? carryOn(call, () => talk.say(line)) : talk.say(line));
    prompt();
  }
  if (asks) call.terminal.print("");
};

function noteState({ terminal, program }: Call, id: AgentId, state: LifecycleState): void {
  if (state !== "paused" && state !== "failed") return;
  const what = state === "paused" ? "is paused" : "has failed";
  const line = `${id} ${what} and answers when it is resumed: ${program} resume ${id}`;
  terminal.note(terminal.paintNote("yellow", line));
}

/** What fails once may do the next time, and who sits there sees it. */
async function carryOn(call: Call, say: () => Promise<void>): Promise<void> {
  try {
    await say();
  } catch (error) {
    call.terminal.note(`${call.terminal.paintNote("red", "error:")} ${safe(lineOf(error))}`);
  }
}

interface Talk {
  /** Sends a message and shows what comes of it. */
  say(text: string): Promise<void>;
  /** The last answer was ended by Ctrl-C. */
  readonly wasCancelled: boolean;
}

function talkOf(call: Call, id: AgentId): Talk {
  const { terminal } = call;
  const server = call.server();
  /** The exchange that is under way; `"begun"` before its message is sent. */
  let current: Exchange | "begun" | undefined;
  let wasCancelled = false;

  /** Ends what the agent is at; a second time, and where there is nothing to end, the program. */
  function interrupted(): void {
    if (current === undefined) return leave(EXIT.done);
    if (current === "begun" || wasCancelled) return leave(EXIT_INTERRUPTED);
    wasCancelled = true;
    if (terminal.columns !== undefined) {
      terminal.note(terminal.paintNote("dim", "\n  stopping; Ctrl-C again leaves"));
    }
    current.cancel().catch(() => leave(EXIT_INTERRUPTED));
  }
  function leave(code: number): void {
    terminal.leave();
    if (terminal.columns !== undefined) terminal.print("");
    Deno.exit(code);
  }
  onInterrupt(interrupted);

  async function answerTo(text: string): Promise<void> {
    const isShown = terminal.columns !== undefined && !call.json && !call.quiet;
    const done = terminal.progress(`waiting for ${id}`);
    try {
      const shown = isShown ? screen(call, done) : undefined;
      current = await exchange(server, id, text, shown ?? notes(call));
      const answered = await current.answered;
      done();
      if (!answered.tick.success) throw tickFailed(call, id, answered.tick, logsHint(call, id));
      if (call.json) return printJson(call, await asJson(answered));
      const replies = answered.replies.map(replyText);
      if (!shown) return replies.forEach((reply) => terminal.print(reply.replace(/\n$/, "")));
      shown.answered(replies, answered, await leftOf(server.files(id)));
    } finally {
      done();
    }
  }
  async function asJson({ tick, replies, jobs }: Answered) {
    return {
      tick,
      replies,
      model_calls: jobs.length,
      cost_micro_usd: costOf(jobs),
      remaining_micro_usd: await leftOf(server.files(id)) ?? null,
    };
  }

  return {
    async say(text) {
      current = "begun";
      wasCancelled = false;
      try {
        await answerTo(text);
      } finally {
        current = undefined;
      }
    },
    get wasCancelled() {
      return wasCancelled;
    },
  };
}
