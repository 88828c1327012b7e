/** New code for an agent: loaded, migrated and validated in the turn after the running tick; it stands in one commit, or the old code stays. */
import { FileError } from "../fs/error.ts";
import type { AgentHost } from "./host.ts";
import type { AgentRecord } from "./record.ts";
import type { Live } from "./live.ts";
import { beginEffects } from "./gather.ts";
import { blobKeys, largeRows } from "./blob.ts";
import { commitTurn } from "./turn.ts";
import { digest, encodeJson, encodeText } from "./code.ts";
import { hookFrame } from "./frame.ts";
import { isoTime } from "./id.ts";
import { key } from "./keys.ts";
import { runHookOf } from "./hooks.ts";
import type { Deployed } from "./view.ts";

/** A bundled module has at most so many bytes. */
export const MAX_CODE_BYTES = 12 * 1024 * 1024;

/** SHA-256 of a module's source, checked against what its sender says of it. @throws FileError `invalid_request`, `too_large` */
export function moduleDigest(code: string, said?: string): string {
  const refuse = (detail: string) => new FileError("invalid_request", "deploy", "code", { detail });
  if (code.trim() === "") throw refuse("the module is empty");
  const bytes = encodeText(code);
  if (bytes.length > MAX_CODE_BYTES) {
    throw new FileError("too_large", "deploy", "code", {
      detail: `a bundled module has at most ${MAX_CODE_BYTES} bytes, this one ${bytes.length}`,
      extra: { limit_bytes: MAX_CODE_BYTES, asked_bytes: bytes.length },
    });
  }
  const own = digest(bytes);
  if (said !== undefined && said.toLowerCase() !== own) {
    throw refuse(`its SHA-256 is ${own}, not ${said.slice(0, 64)}: it was damaged on its way`);
  }
  return own;
}

/**
 * @throws FileError `agent_error` (it does not load, `migrate` threw, the state does not fit its schema), `conflict` (its version is older than the state's);
 * the old code stays
 */
export async function deploy(
  live: Live,
  code: string,
  by: string,
  host: AgentHost,
  said?: string,
): Promise<Deployed> {
  const newDigest = moduleDigest(code, said);
  const { record, turn } = live;
  const source = encodeText(code);
  const instance = await host.start(
    { kind: "module", digest: newDigest, source: () => Promise.resolve(source) },
    record.limits,
  );
  const effects = beginEffects(live, hookFrame(live, "deploy"));
  const stop = live.backend.timer(record.limits.max_tick_ms, () => effects.abort.abort());
  try {
    if (instance.version < turn.version) {
      throw new FileError("conflict", "deploy", `/agents/${live.id}`, {
        detail:
          `its version is ${instance.version} and the state is of version ${turn.version}; raise the module's version`,
      });
    }
    const { state } = await runHookOf(
      instance,
      live,
      effects,
      "migrate",
      live.state,
      undefined,
      turn.version,
    );
    // Its name, limits and mounts may have been changed while the module was loaded.
    const next: AgentRecord = { ...live.record, agent: { kind: "module" }, code_digest: newDigest };
    const stateRows = state === live.state
      ? []
      : largeRows(key.state, encodeText(state), live.newBlobId);
    const before = { code_digest: record.code_digest, version: turn.version };
    const after = { code_digest: newDigest, version: instance.version };
    const timestamp = isoTime(live.backend.now());
    const event = live.trajectory.add({ type: "deploy", timestamp, by, before, after });
    const oldCode = await live.storage.get(key.code);
    await commitTurn(
      live,
      { ...live.turn, trajectory: live.trajectory.nextSeq, version: instance.version },
      {
        check: [
          { key: key.state, value: live.stateBytes },
          { key: key.agent, value: encodeJson(live.record) },
        ],
        remove: [...blobKeys(oldCode), ...(stateRows.length > 0 ? blobKeys(live.stateBytes) : [])],
        put: [
          { key: key.agent, value: encodeJson(next) },
          ...largeRows(key.code, source, live.newBlobId),
          ...stateRows,
          live.trajectory.row(event),
        ],
      },
    );
    if (stateRows.length > 0) {
      live.state = state;
      live.stateBytes = stateRows[0]!.value;
    }
    live.record = next;
    const old = live.instance;
    live.instance = instance;
    live.justWoken = true;
    await old?.stop().catch(() => {});
    live.trajectory.announce(event);
    live.trace.add({ type: "lifecycle", state: "deployed", by, ...after });
    return { ...after, before };
  } catch (error) {
    await instance.stop().catch(() => {});
    throw error;
  } finally {
    stop();
    effects.end();
  }
}
