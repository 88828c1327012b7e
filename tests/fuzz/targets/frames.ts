/** What an agent's process says over its pipe. */
import { channel, type Message } from "../../../src/hosts/process/channel.ts";
import { agentFacts, agentFailure, hookResult } from "../../../src/hosts/process/reports.ts";
import { encodeFrame, type Head, isBreach } from "../../../src/hosts/process/wire.ts";
import type { HookRun } from "../../../src/core/host.ts";
import { CODES } from "../../../src/fs/error.ts";
import { equal, ok } from "../../assert.ts";
import { brokenBytes, brokenJson, partsOf, sizesOf } from "../mutate.ts";
import type { Chance } from "../../sim/chance.ts";
import type { Json } from "../../../src/core/envelope.ts";
import type { Target } from "../target.ts";

const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
/** What an agent's process says when all is well. */
const HEADS: readonly [Head, Uint8Array?][] = [
  [{ t: "facts", name: "bob", version: 1, hooks: ["onTrigger"] }],
  [
    { t: "result", run: 1, should_hibernate: false, pending: false, n: 1, size: 9 },
    encode({ a: [1] }),
  ],
  [{
    t: "failed",
    run: 1,
    error: { code: "agent_error", detail: "no" },
    stack: "  at f (agent.js:1:2)",
  }],
  [{ t: "call", run: 1, id: 1, op: "kv.get", args: { key: "a" } }],
  [{ t: "m", n: 1, size: 8 }, new Uint8Array(4)],
  [{ t: "more", n: 1 }, new Uint8Array(4)],
  [{ t: "credit", n: 0, bytes: 10 }],
];
const MAX_BODY = 10_000;
const HOOK = { agent: { id: "bob" }, hook: "onTrigger" } as unknown as HookRun;

function frameOf(chance: Chance): Uint8Array {
  const [head, tail] = chance.pick(HEADS);
  if (!chance.percent(40)) return encodeFrame(head, tail);
  return encodeFrame(brokenJson(chance, head as Json) as unknown as Head, tail);
}

const show = (heard: readonly Message[]) =>
  heard.map(({ head, body }) => `${JSON.stringify(head)} ${body?.toHex()}`).join("\n");

/** All that comes of it: what was delivered, and why it ended if it did. */
function heardOf(parts: Iterable<Uint8Array>): { heard: Message[]; ended: string | undefined } {
  const heard: Message[] = [];
  const end = channel({
    write: () => Promise.resolve(),
    deliver: (message) => void heard.push(message),
    maxBodyBytes: () => MAX_BODY,
  });
  try {
    for (const part of parts) end.take(part);
  } catch (error) {
    if (!isBreach(error)) throw error;
    return { heard, ended: error.message };
  }
  return { heard, ended: undefined };
}

export const target: Target<{ bytes: Uint8Array; sizes: number[] }> = {
  about: "what an agent's process says is a message or a breach, alike however the pipe cuts it",
  make(chance) {
    const frames = Array.from({ length: 1 + chance.below(4) }, () => frameOf(chance));
    const bytes = Uint8Array.from(frames.flatMap((frame) => [...frame]));
    return {
      bytes: chance.percent(60) ? brokenBytes(chance, bytes) : bytes,
      sizes: sizesOf(chance),
    };
  },
  begin: () => ({
    try({ bytes, sizes }) {
      const whole = heardOf([bytes]);
      const cut = heardOf(partsOf(bytes, sizes));
      equal(cut.ended === undefined, whole.ended === undefined);
      // After a breach nothing is worth hearing, and how much was heard before does not matter.
      if (whole.ended === undefined) equal(show(cut.heard), show(whole.heard));
      for (const message of whole.heard) {
        ok((message.body?.length ?? 0) <= MAX_BODY);
        for (const read of [() => agentFacts(message.head), () => hookResult(message)]) {
          try {
            read();
          } catch (error) {
            if (!isBreach(error)) throw error;
          }
        }
        const failure = agentFailure(message.head, HOOK, () => undefined);
        ok(Object.hasOwn(CODES, failure.code) && failure.message.length < 50_000);
      }
    },
  }),
};
