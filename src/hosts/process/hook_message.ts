/** A hook as it is told to an agent's process: what is small in the head, what may be large in the body, the state behind it as it is stored. */
import type { Json } from "../../core/envelope.ts";
import type { HookRun } from "../../core/host.ts";
import type { Message } from "./channel.ts";
import { bytesText, jsonBytes, jsonValue } from "./values.ts";
import type { Head } from "./wire.ts";

/** @param seed of the hook's chance */
export function hookRunMessage(
  run: number,
  { agent, state, trigger, error, ...small }: HookRun,
  seed: Uint8Array,
  remainingMicroUsd: number,
): Required<Message> {
  const { config, ...who } = agent;
  const large = jsonBytes({ config, trigger, error });
  const stored = new TextEncoder().encode(state ?? "");
  const body = new Uint8Array(large.length + stored.length);
  body.set(large);
  body.set(stored, large.length);
  const head = {
    ...small,
    t: "run",
    run,
    agent: who,
    large: large.length,
    has_state: state !== undefined,
    seed: [...seed],
    usd: remainingMicroUsd,
  };
  return { head: head as unknown as Head, body };
}

/** The other half. The runtime is trusted, so nothing is looked at twice. */
export function hookRunOf({ head, body }: Message): { hook: HookRun; seed: Uint8Array } {
  const { t: _, agent, large, has_state, seed, ...small } = head;
  const size = Number(large);
  const { config, ...rest } = jsonValue(body!.subarray(0, size)) as { config: Json };
  const hook = {
    ...small,
    ...rest,
    agent: { ...agent as object, config },
    state: has_state ? bytesText(body!.subarray(size)) : undefined,
  };
  return { hook: hook as unknown as HookRun, seed: Uint8Array.from(seed as number[]) };
}
