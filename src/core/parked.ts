/**
 * Envelopes whose handler failed for want of a person's yes. One waits for the answer, as long as the question stands, and none of its tries is used up;
 * its sender's later ones wait behind it, as behind a retry. Its `retry` row is due when the question ends, so that it goes on whatever is lost.
 */
import { hasCode } from "../fs/error.ts";
import type { Failure } from "./agent.ts";
import type { Approval } from "./approval.ts";
import type { Live } from "./live.ts";
import type { Tries } from "./record.ts";
import type { Waiting } from "./queue.ts";
import { encodeJson, encodeText } from "./code.ts";
import { exportOf } from "./live.ts";
import { key } from "./keys.ts";

/** What an envelope waits for. */
export type Parking = NonNullable<Tries["waits"]>;

/**
 * The question that the try has failed for; undefined where it is to be tried again as any other. A host tells a handler's error in words, and those of
 * the refusal name the question. To who has waited for one that ended without an answer, another is no reason to wait: else an envelope that nobody
 * decides on would do so for ever.
 */
export function parkingOf(
  asked: readonly Approval[],
  { message }: Failure,
  { waits }: Tries,
): Parking | undefined {
  if (waits) return undefined;
  const question = asked.find(({ id }) => message.includes(id));
  return question && { approval: question.id, until: Date.parse(question.expires_at) };
}

/** Lets go on what waits for a question that has been answered. To be asked after each answer, and where one may have come unseen. */
export async function letGo(live: Live, approvalId: string): Promise<void> {
  const { state = "expired" } = await live.approvals.get(approvalId) ?? {};
  // One that has ended without an answer lets go by its time.
  if (state === "pending" || state === "expired") return;
  await letGoOf(live, (waits) => waits.approval === approvalId);
}

/** Looks for answers that came when nobody could see what waits for them. */
export async function letGoAnswered(live: Live): Promise<void> {
  for (const id of new Set(parked(live).map(({ tries }) => tries!.waits!.approval))) {
    await letGo(live, id);
  }
}

/** After a change of what needs a yes: all ask again, and what still waits for the same question waits on. */
export async function letGoAll(live: Live): Promise<void> {
  await letGoOf(live, () => true);
}

async function letGoOf(live: Live, which: (waits: Parking) => boolean): Promise<void> {
  await exportOf(live);
  for (const entry of parked(live)) {
    const { waits, ...tries } = entry.tries!;
    if (!waits || !which(waits)) continue;
    const at = key.retry(waits.until, entry.n);
    try {
      await live.storage.commit({
        // Whoever took it away has let it go.
        check: [{ key: at, value: HELD }],
        remove: [at],
        put: [{ key: key.tries(entry.n), value: encodeJson(tries) }],
      });
    } catch (error) {
      if (!hasCode(error, "conflict")) throw error;
      continue;
    }
    entry.tries = tries;
    live.inbox.queue.release(entry);
  }
}

function parked(live: Live): Waiting[] {
  return [...live.inbox.queue.all()].filter(({ tries }) => tries?.waits !== undefined);
}

/** The value of a `retry` row. */
export const HELD = encodeText("{}");
