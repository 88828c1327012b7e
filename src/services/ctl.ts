/** `/ctl`: one word drives the agent's life. */
import { CONTROL_WORDS, type ControlWord, type ServiceFactory } from "../core/view.ts";
import { file, refusal, tree } from "../fs/tree.ts";
import { textOf } from "./common/json.ts";

/** No word is longer. */
const MAX_WORD_BYTES = 64;

export const ctl: ServiceFactory = (view) => {
  async function perform(request: Uint8Array, signal: AbortSignal): Promise<string> {
    const word = wordOf(request);
    const tick = await view.control(word, signal);
    return JSON.stringify(tick ?? { state: (await view.status()).state });
  }
  return tree(
    file({
      about: `one of ${CONTROL_WORDS.join(" ")}; a call of tick answers its result`,
      type: "text/plain; charset=utf-8",
      maxBytes: MAX_WORD_BYTES,
      read: () => CONTROL_WORDS.join("\n") + "\n",
      write: async (data, { signal }) => void await perform(data, signal),
      call: (request, { signal }) => perform(request, signal),
    }),
    view.viewer,
  );
};

function wordOf(request: Uint8Array): ControlWord {
  const text = textOf(request).trim();
  const word = CONTROL_WORDS.find((word) => word === text);
  if (word) return word;
  throw refusal(
    "invalid_request",
    `it takes ${CONTROL_WORDS.join(", ")}, not ${JSON.stringify(text)}`,
  );
}
