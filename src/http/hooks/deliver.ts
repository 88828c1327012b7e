/** POST /hooks/{name}: lets in what is signed with the hook's secret, and tells nobody else whether there is such a hook. */
import type { Backend } from "../../core/backend.ts";
import { agentId } from "../../core/id.ts";
import type { Runtime } from "../../core/runtime.ts";
import { inTrace } from "../../core/tracer.ts";
import { FileError } from "../../fs/error.ts";
import { bodyChunks } from "../body.ts";
import { joined } from "../bytes.ts";
import { guesses } from "../guesses.ts";
import { json, type Visit } from "../visit.ts";
import type { HookConfig } from "./hook.ts";
import { messageOf } from "./message.ts";
import type { HookStore } from "./store.ts";
import { claimOf, importSecret, isSigned } from "./verify.ts";

/** Bytes of one message. Anybody may send so many before it is known who they are. */
export const MAX_HOOK_BYTES = 5 * 1024 * 1024;
/** Messages that are read at the same time. */
export const MAX_READING = 32;
/** How long a sender may take. Milliseconds. */
export const MAX_READING_MS = 30_000;

/** Stands in for hooks that are not there, so that they take as long to refuse as those that are. */
const DECOY: HookConfig = {
  scheme: "hmac-sha256",
  agent: "decoy",
  signature_header: "x-hub-signature-256",
  tolerance_s: 1,
};

export type Deliver = (name: string, visit: Visit) => Promise<Response>;

/** @param store undefined where the server has no hooks: each is unknown */
export function createDeliver(
  runtime: Runtime,
  store: HookStore | undefined,
  clock: Pick<Backend, "now" | "timer">,
): Deliver {
  const wrong = guesses(clock.now);
  const decoy = importSecret(crypto.randomUUID());
  let reading = 0;

  async function bodyOf({ request, target: { path } }: Visit): Promise<Uint8Array> {
    if (reading >= MAX_READING) throw tooMany(path);
    reading++;
    const late = Promise.withResolvers<never>();
    const cancel = clock.timer(MAX_READING_MS, () => late.reject(tooSlow(path)));
    const read = Array.fromAsync(bodyChunks(request, path, MAX_HOOK_BYTES));
    // Who is cut off may come to an end of its own later; nobody listens then.
    read.catch(() => {});
    try {
      return joined(await Promise.race([read, late.promise]));
    } finally {
      cancel();
      reading--;
    }
  }

  return async (name, visit) => {
    const { request, peer, target: { path } } = visit;
    const body = await bodyOf(visit);
    const found = store?.get(name);
    const config = found?.hook.config ?? DECOY;
    const claim = claimOf(config, { headers: request.headers, body });
    const toleranceMs = claim.sentMs === undefined || config.scheme === "github"
      ? undefined
      : config.tolerance_s * 1000;
    const right = await isSigned(found?.key ?? await decoy, claim, clock.now(), toleranceMs);
    if (!right || !found?.key) throw refused(wrong.count(peer.address ?? peer.transport), path);
    const message = messageOf(name, claim, body, request.headers.get("content-type"));
    const receipt = await runtime.deliver(agentId(config.agent), {
      ...message,
      metadata: visit.trace ? inTrace(message.metadata!, visit.trace) : message.metadata!,
    }, { kind: "webhook", name });
    const { envelope_id, disposition, duplicate } = receipt;
    return json({ envelope_id, disposition, duplicate }, 202);
  };
}

function refused(retryAfterMs: number, path: string): FileError {
  if (retryAfterMs > 0) {
    return new FileError("rate_limited", "enter", path, {
      detail: "too many wrong signatures from there",
      extra: { retry_after_ms: retryAfterMs },
    });
  }
  return new FileError("auth_required", "enter", path, {
    detail: "there is no hook of this name that takes this signature",
  });
}

function tooMany(path: string): FileError {
  return new FileError("rate_limited", "read", path, {
    detail: `${MAX_READING} messages are being read, which is the limit; try again`,
    extra: { limit: MAX_READING, retry_after_ms: 1_000 },
  });
}

function tooSlow(path: string): FileError {
  return new FileError("timeout", "read", path, {
    detail: `the message did not come within ${MAX_READING_MS / 1000} seconds`,
  });
}
