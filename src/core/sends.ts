/** Messages on their way to other agents: rows of the sender's commit that go only when the receiver's commit has taken them, exactly once and in order. */
import { codeOf, FileError } from "../fs/error.ts";
import type { AgentStorage } from "./storage.ts";
import type { AgentId, EnvelopeId, Timestamp } from "./id.ts";
import type { Envelope } from "./envelope.ts";
import type { Inbox } from "./inbox.ts";
import type { SendRow } from "./record.ts";
import { decodeJson } from "./code.ts";
import { WARN_PERCENT } from "./limits.ts";
import { blobKeys, wholeValue } from "./blob.ts";
import { key, numberOfKey } from "./keys.ts";

/** How long a receiver that could not take a message is left alone. */
export const SEND_RETRY_MS = 1_000;

const MINUTE_MS = 60_000;

export interface Sends {
  /** Rows of a commit that has resolved, in order of number. */
  push(rows: readonly { readonly n: number; readonly row: SendRow }[]): void;
  readonly pending: number;
  /** Asked before a message is sent, with how many of the running try are not committed yet. @throws FileError `rate_limited` */
  mustMaySend(uncommitted: number): void;
  /** Resolves when nothing more can be delivered now. */
  settled(): Promise<void>;
  stop(): void;
}

export interface SendsOptions {
  readonly id: AgentId;
  readonly birth: string;
  readonly storage: AgentStorage;
  readonly inbox: Inbox;
  readonly now: () => number;
  readonly timer: (delayMs: number, fire: () => void) => () => void;
  /** Resolves when the agent is there: what `onCreate` sends leaves when the create has succeeded. */
  readonly made: () => Promise<void>;
  /** Gives the receiver's inbox to `give`; false if there is no such agent. */
  readonly deliver: (to: AgentId, give: (inbox: Inbox) => Promise<unknown>) => Promise<boolean>;
  readonly onSettled: () => void;
  readonly onError: (error: unknown) => void;
  /** Messages a minute, and what is told when that is nearly reached; no limit if absent. */
  readonly rate?: {
    readonly limit: () => number;
    readonly onNear: (event: { readonly limit: number; readonly sent: number }) => void;
  };
}

interface Outgoing {
  readonly n: number;
  readonly row: SendRow;
}

export async function openSends(options: SendsOptions): Promise<Sends> {
  const { storage, id, birth } = options;
  /** By receiver, each in order. */
  const lines = new Map<AgentId, Outgoing[]>();
  const running = new Map<AgentId, Promise<void>>();
  /** Receivers that are left alone for a while, with what ends the wait. */
  const resting = new Map<AgentId, () => void>();
  let stopped = false;

  for (const row of await storage.list({ prefix: "send/" })) {
    const bytes = await wholeValue(storage, row.value);
    add({ n: numberOfKey(row.key), row: decodeJson<SendRow>(bytes!) });
  }
  for (const to of lines.keys()) start(to);

  function add(out: Outgoing): void {
    const line = lines.get(out.row.to);
    if (line) line.push(out);
    else lines.set(out.row.to, [out]);
  }
  function start(to: AgentId): void {
    if (stopped || running.has(to) || resting.has(to) || !lines.has(to)) return;
    const work = deliverLine(to).catch((error) => {
      options.onError(error);
      later(to);
    }).finally(() => {
      running.delete(to);
      if (lines.get(to)?.length === 0) lines.delete(to);
      else if (!resting.has(to)) start(to);
      if (running.size === 0) options.onSettled();
    });
    running.set(to, work);
  }
  function later(to: AgentId): void {
    if (stopped) return;
    const cancel = options.timer(SEND_RETRY_MS, () => {
      resting.delete(to);
      start(to);
    });
    resting.set(to, cancel);
  }
  async function deliverLine(to: AgentId): Promise<void> {
    const line = lines.get(to)!;
    await options.made();
    while (line.length > 0 && !stopped) {
      const out = line[0]!;
      const peer = { sender: id, birth, n: out.n };
      try {
        if (await options.deliver(to, (inbox) => inbox.accept(envelopeOf(out), { peer }))) {
          await storage.commit({ check: [], remove: await rowsOf(out), put: [] });
        } else await bounce(out, "no agent has this id");
      } catch (error) {
        if (codeOf(error) !== "inbox_full" && codeOf(error) !== "conflict") throw error;
        return later(to);
      }
      line.shift();
    }
  }
  async function rowsOf(out: Outgoing): Promise<string[]> {
    const sendKey = key.send(out.n);
    return [sendKey, ...blobKeys(await storage.get(sendKey))];
  }
  function envelopeOf({ row }: Outgoing): Envelope {
    return {
      id: row.id,
      timestamp: row.at as Timestamp,
      source: { kind: "agent", agent_id: id },
      payload: { kind: "agent_message", from: id, data: row.data },
      metadata: {
        ...(row.parent_id ? { parent_id: row.parent_id } : {}),
        ...(row.trace?.trace_id ? { trace_id: row.trace.trace_id } : {}),
        ...(row.trace?.traceparent ? { extra: { traceparent: row.trace.traceparent } } : {}),
      },
    };
  }
  /** Tells the sender that its message cannot arrive, in the commit in which the message goes. */
  let minute = { n: 0, sent: 0, isTold: false };
  function inMinute() {
    const n = Math.floor(options.now() / MINUTE_MS);
    if (minute.n !== n) minute = { n, sent: 0, isTold: false };
    return minute;
  }
  function mustMaySend(uncommitted: number): void {
    if (!options.rate) return;
    const limit = options.rate.limit();
    const now = inMinute();
    const sent = now.sent + uncommitted + 1;
    if (sent > limit) throw tooFast(id, limit, (now.n + 1) * MINUTE_MS - options.now());
    if (now.isTold || sent * 100 < limit * WARN_PERCENT) return;
    now.isTold = true;
    options.rate.onNear({ limit, sent });
  }
  async function bounce(out: Outgoing, why: string): Promise<void> {
    const envelope: Envelope = {
      id: `${out.row.id}:undeliverable` as EnvelopeId,
      timestamp: options.now() as Timestamp,
      source: { kind: "system", reason: "undeliverable" },
      payload: {
        kind: "json",
        data: {
          event: "undeliverable",
          to: out.row.to,
          message_id: out.row.id,
          why,
          data: out.row.data,
        },
      },
      metadata: { parent_id: out.row.id },
    };
    const along = { check: [], remove: await rowsOf(out), put: [] };
    await options.inbox.accept(envelope, { along, always: true });
  }
  return {
    get pending() {
      let count = 0;
      for (const line of lines.values()) count += line.length;
      return count;
    },
    mustMaySend,
    push(rows) {
      inMinute().sent += rows.length;
      for (const out of rows) {
        add(out);
        start(out.row.to);
      }
    },
    async settled() {
      while (running.size > 0) await Promise.all(running.values());
    },
    stop() {
      stopped = true;
      for (const cancel of resting.values()) cancel();
    },
  };
}

function tooFast(id: AgentId, limit: number, restMs: number): FileError {
  return new FileError("rate_limited", "send", `/agents/${id}`, {
    detail: `it has sent its ${limit} messages of this minute; the next one begins in ${
      Math.ceil(restMs / 1_000)
    } s, or raise its limit max_sends_per_minute`,
    extra: { limit, retry_after_ms: restMs },
  });
}
