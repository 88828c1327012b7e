/** A seller for the laws: its one model is free, and says what it was asked, word by word. */
import type { ChatInput, ComputeProvider, ComputeProviders } from "../../src/core/compute.ts";

export const MODEL = "repeat";
const FREE = { input_micro_usd_per_mtok: 0, output_micro_usd_per_mtok: 0 };

const done = () => Promise.resolve();

const provider: ComputeProvider = {
  id: "repeater",
  info: () => ({
    id: "repeater",
    type: "builtin",
    about: "says what it was asked",
    by_name_only: false,
  }),
  health: () => ({ status: "up", checked_at: null }),
  models: () => [{ id: MODEL, kinds: ["chat"], price: FREE }],
  async submit({ input, model, stream }, sink) {
    const text = String((input as ChatInput).messages.at(-1)?.content ?? "");
    const words = text.match(/\s*\S+/g) ?? [];
    for (const content of stream ? words : []) await sink.delta({ content });
    const count = words.length;
    const usage = { input_tokens: count, output_tokens: count, total_tokens: 2 * count };
    return { output: { text, finish_reason: "stop" }, usage, model };
  },
  refresh: done,
  close: done,
};

export const repeater: ComputeProviders = {
  list: () => [provider],
  get: (id) => id === provider.id ? provider : undefined,
  refresh: done,
  close: done,
};
