/** What a coder says to its model. */
import type { ChatMessage } from "../../core/compute.ts";
import type { Command } from "../../core/containers.ts";
import type { Config } from "./config.ts";
import { blockOf, blocksOf, type CodeFile } from "./format.ts";

/** No time and no name in it: the same task is the same request. */
export function systemOf({ language, test, limits, prompt }: Config): string {
  const network = limits.allow_network === true ? "" : ", without a network";
  return [
    `You write small programs that are right, in ${language.name}, and a test for each.`,
    "Answer with whole files and nothing else. Each file is a block like this one, with its name behind path=",
    "",
    blockOf(language.example),
    "",
    language.files,
    `Your files are put into an empty directory${network}. There these commands are run, and all have to end with exit code 0:`,
    "",
    ...test.map((command) => commandLine(command)),
    ...(prompt === undefined ? [] : ["", prompt]),
  ].join("\n");
}

export interface Before {
  /** None: nothing in the answer was a file. */
  readonly files: readonly CodeFile[];
  readonly fault: string;
}

/** @param before what the last attempt came to */
export function messagesOf(
  config: Config,
  text: string,
  before: Before | undefined,
): ChatMessage[] {
  const messages: ChatMessage[] = [
    { role: "system", content: systemOf(config) },
    { role: "user", content: text },
  ];
  if (before === undefined) return messages;
  const again = "Give all files again, whole, with the mistake corrected.";
  if (before.files.length > 0) {
    messages.push({ role: "assistant", content: blocksOf(before.files) });
    messages.push({ role: "user", content: `${before.fault}\n\n${again}` });
  } else {
    // What was no answer is not shown as one.
    const [system, user] = messages;
    return [system!, {
      role: "user",
      content: `${user!.content}\n\n(Your last answer: ${before.fault})`,
    }];
  }
  return messages;
}

export function commandLine(command: Command): string {
  return typeof command === "string" ? command : command.map(quoted).join(" ");
}

/** As a shell would take it for one word. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
