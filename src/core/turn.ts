/** The row that every tick changes, and how it is committed. */
import type { StreamEvent } from "../fs/file.ts";
import type { Batch } from "./storage.ts";
import type { Effects } from "./effects.ts";
import type { Live } from "./live.ts";
import type { Turn } from "./record.ts";
import type { Waiting } from "./queue.ts";
import { workedWith } from "./daily.ts";
import { encodeJson } from "./code.ts";
import { joinBatches } from "./txn.ts";
import { key } from "./keys.ts";

/** Commits a new turn with what goes along; the turn must still be the one in memory. */
export async function commitTurn(live: Live, turn: Turn, along: Batch): Promise<void> {
  const turnBytes = encodeJson(turn);
  await live.storage.commit(joinBatches({
    check: [{ key: key.turn, value: live.turnBytes }],
    remove: [],
    put: [{ key: key.turn, value: turnBytes }],
  }, along));
  live.turn = turn;
  live.turnBytes = turnBytes;
}

/** The same with the record of a try along, whose number is free again if there is no commit. */
export async function commitRecord(
  live: Live,
  record: StreamEvent,
  turn: Turn,
  along: Batch,
): Promise<void> {
  try {
    await commitTurn(live, turn, along);
  } catch (error) {
    live.trajectory.takeBack(record);
    throw error;
  }
}

/** The turn after a tick that commits. */
export function nextTurn(live: Live, entry: Waiting | undefined, effects: Effects): Turn {
  return {
    ...live.turn,
    ticks: live.turn.ticks + 1,
    inbox: Math.max(live.turn.inbox, (entry?.n ?? 0) + 1),
    outbox: live.outbox.nextSeq,
    send: live.turn.send + effects.sends.length,
    trajectory: live.trajectory.nextSeq,
    trace: live.trace.nextSeq,
    marks: effects.marks,
    version: live.instance?.version ?? live.turn.version,
    worked: workedWith(live, effects.frame.tickId),
  };
}
