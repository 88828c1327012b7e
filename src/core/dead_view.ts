/** Dead letters as an operator handles them: listed, replayed, discarded. */
import type { AgentView, DeadLetter } from "./view.ts";
import type { DeadRow } from "./dead.ts";
import type { Live } from "./live.ts";
import { type EnvelopeId, isoTime } from "./id.ts";
import { blobKeys } from "./blob.ts";
import { joinBatches } from "./txn.ts";

export function deadView(live: Live): AgentView["deadLetters"] {
  const shown = (row: DeadRow): DeadLetter => ({
    envelope: row.envelope,
    reason: row.reason,
    at: isoTime(row.at),
    tries: row.tries,
    errors: row.errors,
  });
  async function replay(id: EnvelopeId, fresh: boolean): Promise<void> {
    const { row, batch } = await live.dead.removal(id);
    const calls = fresh ? await live.storage.list({ prefix: `call/${id}/` }) : [];
    const along = joinBatches(batch, {
      check: [],
      remove: calls.flatMap((call) => [call.key, ...blobKeys(call.value)]),
      put: [],
    });
    await live.inbox.accept(row.envelope, { along, again: true });
    live.dead.gone(row);
    live.trace.add({ type: "lifecycle", envelope_id: id, state: "replayed", fresh });
  }
  return {
    async list(page) {
      return (await live.dead.list(page)).map(shown);
    },
    async get(id) {
      const row = await live.dead.get(id);
      return row && shown(row);
    },
    async count() {
      return await live.dead.countFailed() + await live.dead.countOverflow();
    },
    replay,
    async replayAll() {
      let count = 0;
      while (true) {
        const rows = await live.dead.list({ limit: 100 });
        for (const row of rows) {
          await replay(row.envelope.id, false);
          count++;
        }
        if (rows.length < 100) return count;
      }
    },
    async discard(id) {
      const { row, batch } = await live.dead.removal(id);
      const calls = await live.storage.list({ prefix: `call/${id}/` });
      await live.storage.commit({
        ...batch,
        remove: [
          ...batch.remove,
          ...calls.flatMap((call) => [call.key, ...blobKeys(call.value)]),
        ],
      });
      live.dead.gone(row);
      live.trace.add({ type: "lifecycle", envelope_id: id, state: "discarded" });
    },
  };
}
