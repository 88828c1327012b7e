/** Rows as a viewer sees them: the agent inside its tick's transaction, others in commits of their own. */
import { FileError, hasCode } from "../fs/error.ts";
import { exportOf, type Live } from "./live.ts";
import type { Row } from "./storage.ts";
import type { Rows, Txn } from "./view.ts";
import { mustHaveDraftRoom, mustHaveRoom } from "./quota.ts";
import type { Effects } from "./effects.ts";
import { beginTxn } from "./txn.ts";

/** How often another viewer's change is run again because others came before it. */
const MAX_CHANGE_RUNS = 100;

/** The agent reads what it has written in this tick, and committed rows between ticks. */
export function agentRows(live: Live): Rows {
  const running = () => {
    const effects = live.effects;
    return effects && !effects.over ? effects : undefined;
  };
  const txn = () => running()?.txn;
  let line: Promise<unknown> = Promise.resolve();
  return {
    get: (at) => (txn() ?? live.storage).get(at),
    list: (range) => (txn() ?? live.storage).list(range),
    async change(change) {
      const effects = running();
      if (!effects) {
        throw new FileError("not_ready", "write", `/agents/${live.id}`, {
          detail: "an agent writes only inside its tick",
        });
      }
      // One after the other: what a change has read must still be so when it writes.
      const done = line.then(() => staged(live, effects, change));
      line = done.catch(() => {});
      return await done;
    },
    commitNow: (put, remove) => commitNow(live, put, remove),
    watch: (prefix, signal) => watchRows(live, prefix, signal),
  };
}

/** A change of the tick's transaction, whole or not at all: one that does not fit leaves nothing. */
async function staged<T>(
  live: Live,
  effects: Effects,
  change: (txn: Txn) => Promise<T>,
): Promise<T> {
  const { txn: open } = effects;
  const own = beginTxn(open);
  const answer = await change(own);
  const { put, remove } = own.batch();
  await mustHaveRoom(live, { put, remove }, effects);
  for (const at of remove) open.remove(at);
  for (const { key, value } of put) open.put(key, value);
  return answer;
}

async function commitNow(
  live: Live,
  put: readonly Row[],
  remove: readonly string[],
): Promise<void> {
  await mustHaveDraftRoom(live, put, remove);
  await live.storage.commit({ check: [], remove, put });
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
      await mustHaveRoom(live, batch);
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
    commitNow: (put, remove) => commitNow(live, put, remove),
    watch: (prefix, signal) => watchRows(live, prefix, signal),
  } as Rows;
}

async function* watchRows(live: Live, prefix: string, signal: AbortSignal) {
  for await (const change of live.changes.listen(signal)) {
    if (change.key.startsWith(prefix)) yield change;
  }
}
