/** What a hook's chance is seeded by. It stands apart from the generator because an agent's process has no packages. */
import { sha256 } from "@noble/hashes/sha2.js";
import type { HookRun } from "../core/host.ts";

/** The SHA-256 of the envelope's id. Hooks of one envelope draw from rows of their own, or `onWake` and `onTrigger` would make the same UUIDs. */
export function seedOf({ hook, tick }: Pick<HookRun, "hook" | "tick">): Uint8Array {
  // No envelope id has a "/".
  const name = hook === "onTrigger" ? tick.envelope_id : `${tick.envelope_id}/${hook}`;
  return sha256(new TextEncoder().encode(name));
}
