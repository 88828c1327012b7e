/** Alarms and retries that are due: each becomes an envelope, or lets one go on, in one commit. */
import { hasCode } from "../fs/error.ts";
import type { Envelope } from "./envelope.ts";
import type { EnvelopeId, Timestamp } from "./id.ts";
import type { Live } from "./live.ts";
import type { AlarmRow } from "./record.ts";
import type { Row } from "./storage.ts";
import { decodeJson, encodeJson } from "./code.ts";
import { key, numberOfKey, padMs } from "./keys.ts";
import { laterCron } from "./cron.ts";

const PAGE = 100;

/** Enqueues every alarm that is due; a full inbox leaves the rest for later. */
export async function fireAlarms(live: Live, now: number): Promise<void> {
  if (live.held) return;
  const through = `alarm/${padMs(now)}/~`;
  while (true) {
    const rows = (await live.storage.list({ prefix: "alarm/", limit: PAGE }))
      .filter((row) => row.key <= through);
    for (const row of rows) {
      try {
        await fireAlarm(live, row, now);
      } catch (error) {
        // Conflict: it was cancelled, or set anew, in this moment.
        if (hasCode(error, "inbox_full")) return;
        if (!hasCode(error, "conflict")) throw error;
      }
    }
    if (rows.length < PAGE) return;
  }
}

/** The id names the scheduled time, so that a crash in between fires it once. Missed rounds of a cron fire once. */
async function fireAlarm(live: Live, row: Row, now: number): Promise<void> {
  const alarm = decodeJson<AlarmRow>(row.value);
  const envelope: Envelope = {
    id: `alarm:${alarm.id}:${alarm.due}` as EnvelopeId,
    timestamp: now as Timestamp,
    source: { kind: "scheduler", alarm_id: alarm.id },
    payload: {
      kind: "json",
      data: { scheduled_for: alarm.due, fired_at: now, payload: alarm.payload },
    },
    metadata: {},
  };
  const put: Row[] = [];
  if (alarm.cron !== undefined) {
    const due = laterCron(alarm.cron, Math.max(now, alarm.due));
    if (due !== undefined) {
      put.push(
        { key: key.alarm(due, alarm.id), value: encodeJson({ ...alarm, due }) },
        { key: key.alarmId(alarm.id), value: encodeJson(due) },
      );
    }
  }
  await live.inbox.accept(envelope, {
    along: {
      check: [row],
      remove: put.length > 0 ? [row.key] : [row.key, key.alarmId(alarm.id)],
      put,
    },
  });
  live.trace.add({
    type: "alarm",
    action: "fired",
    alarm_id: alarm.id,
    envelope_id: envelope.id,
    scheduled_for: alarm.due,
    fired_at: now,
  });
}

/** Lets envelopes go on whose wait for the next try is over. */
export async function releaseRetries(live: Live, now: number): Promise<void> {
  if (live.held) return;
  const through = `retry/${padMs(now)}/~`;
  const rows = (await live.storage.list({ prefix: "retry/" })).filter((row) => row.key <= through);
  if (rows.length === 0) return;
  await live.storage.commit({ check: [], remove: rows.map((row) => row.key), put: [] });
  for (const row of rows) {
    const entry = live.inbox.queue.get(numberOfKey(row.key));
    if (entry) live.inbox.queue.release(entry);
  }
}
