/** The word behind a verb: `create` of `agentd token create`. */
import { type Call, maybeArg } from "./call.ts";
import { usage } from "./exit.ts";
import { didYouMean } from "./similar.ts";

/** What the call's word stands for; `list` where none is said. @throws usage error that says which words there are */
export function wordIn<T>(call: Call, verb: string, words: Readonly<Record<string, T>>): T {
  const word = maybeArg(call, "word") ?? "list";
  if (Object.hasOwn(words, word)) return words[word]!;
  const known = Object.keys(words);
  throw usage(
    `${verb} knows no ${JSON.stringify(word)}`,
    didYouMean(word, known) ?? `It knows ${known.join(", ")}.`,
  );
}
