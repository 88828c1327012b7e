/** Rows as a viewer sees them: the agent inside its tick's transaction, others in commits of their own. */
import { FileError, hasCode } from "../fs/error.ts";
import { exportOf, type Live } from "./live.ts";
import type { Rows } from "./view.ts";
import { beginTxn } from "./txn.ts";

/** How often another viewer's change is run again because others came before it. */
const MAX_CHANGE_RUNS = 100;

/** The agent reads what it has written in this tick, and committed rows between ticks. */
export function agentRows(live: Live): Rows {
  const txn = () => {
    const effects = live.effects;
    return effects && !effects.over ? effects.txn : undefined;
  };
  let line: Promise<unknown> = Promise.resolve();
  return {
    get: (at) => (txn() ?? live.storage).get(at),
    list: (range) => (txn() ?? live.storage).list(range),
    async change(change) {
      const open = txn();
      if (!open) {
        throw new FileError("not_ready", "write", `/agents/${live.id}`, {
          detail: "an agent writes only inside its tick",
        });
      }
      // One after the other: what a change has read must still be so when it writes.
      const done = line.then(() => change(open));
      line = done.catch(() => {});
      return await done;
    },
    commitNow: (put, remove) => live.storage.commit({ check: [], remove, put }),
    watch: (prefix, signal) => watchRows(live, prefix, signal),
  };
}

/** Another viewer's changes are commits of their own, one after the other. */
export function otherRows(live: Live): Rows {
  async function run<T>(change: Parameters<Rows["change"]>[0]): Promise<T> {
    for (let runs = 0;; runs++) {
      await (exportOf(live) ?? live.exclusive);
      const txn = beginTxn(live.storage);
      const answer = await change(txn) as T;
      const batch = txn.batch();
      if (batch.put.length + batch.remove.length === 0) return answer;
      try {
        await live.storage.commit(batch);
        return answer;
      } catch (error) {
        if (!hasCode(error, "conflict") || runs >= MAX_CHANGE_RUNS) throw error;
      }
    }
  }
  return {
    get: (at) => live.storage.get(at),
    list: (range) => live.storage.list(range),
    change<T>(change: Parameters<Rows["change"]>[0]): Promise<T> {
      const done = live.changing.then(() => run<T>(change), () => run<T>(change));
      live.changing = done.catch(() => {});
      return done;
    },
    commitNow: (put, remove) => live.storage.commit({ check: [], remove, put }),
    watch: (prefix, signal) => watchRows(live, prefix, signal),
  } as Rows;
}

async function* watchRows(live: Live, prefix: string, signal: AbortSignal) {
  for await (const change of live.changes.listen(signal)) {
    if (change.key.startsWith(prefix)) yield change;
  }
}
