/** Gathers what a handler does in a tick until the commit: rows in a transaction, messages, events, alarms, logs, and a record of its file calls. */
import { FileError } from "../fs/error.ts";
import type { FileService, StreamEvent } from "../fs/file.ts";
import { segmentFault } from "../fs/path.ts";
import type { Json, Payload, Source } from "./envelope.ts";
import { parsePayload } from "./envelope.ts";
import type { AlarmRow, SendRow } from "./record.ts";
import { type AgentId, agentId, type EnvelopeId, envelopeId, isoTime } from "./id.ts";
import type { Effects, TickFrame } from "./effects.ts";
import type { Live } from "./live.ts";
import type { TickPort } from "./host.ts";
import { nextCron } from "./cron.ts";
import { beginTxn } from "./txn.ts";
import { openCalls } from "./calls.ts";
import { decodeJson, encodeJson, shortDigest } from "./code.ts";
import { key, nameOfKey } from "./keys.ts";
import { recorded } from "./recorded.ts";

/** Messages and events of one tick at the most. */
export const MAX_SENDS = 10_000;
/** Alarms of one agent are rows; one tick sets at most so many. */
export const MAX_ALARMS = 1_000;
const MAX_PAYLOAD_BYTES = 8 * 1024 * 1024;
const MAX_LOG_LINES = 1_000;
/** Why a tick's signal is aborted when it has ended as it should; made once, since to make an error costs its stack. */
const OVER = new FileError("not_ready", "use", "tick", { detail: "this tick is over" });

/** Opens a try. `outbox` and `send` numbers are given from the agent's turn, so that the same try gives the same ones. */
export function beginEffects(live: Live, frame: TickFrame): Effects {
  const txn = beginTxn(live.storage);
  const abort = new AbortController();
  let over = false;
  let alarmCount = 0;
  const effects: Effects = {
    frame,
    txn,
    abort,
    span: undefined,
    sends: [],
    events: [],
    replies: [],
    alarms: [],
    logs: [],
    calls: [],
    asked: [],
    outside: openCalls({
      storage: live.storage,
      backend: live.backend,
      envelope: frame.envelopeId,
      codeDigest: () => live.record.code_digest,
      newBlobId: live.newBlobId,
    }),
    after: [],
    marks: live.turn.marks,
    firstMark: live.turn.marks,
    end() {
      over = true;
      abort.abort(OVER);
    },
    get over() {
      return over;
    },
    port: undefined as unknown as TickPort,
  };
  const alive = (op: string, path: string) => {
    if (over) {
      throw new FileError("not_ready", op, path, {
        detail: "this tick is over; nothing it does from now on counts",
      });
    }
  };
  const trace = live.trace;
  const ids = { tick_id: frame.tickId, envelope_id: frame.envelopeId };

  function event(type: string, fields: { [field: string]: unknown }): StreamEvent {
    if (effects.events.length >= MAX_SENDS) throw tooMany("events", MAX_SENDS);
    const made = live.outbox.add({
      timestamp: isoTime(frame.now),
      type,
      envelope_id: frame.envelopeId,
      ...fields,
    });
    effects.events.push(made);
    return made;
  }
  function send(to: AgentId, data: Json, parent?: EnvelopeId): EnvelopeId {
    if (effects.sends.length >= MAX_SENDS) throw tooMany("messages", MAX_SENDS);
    if (to !== live.id) live.sends.mustMaySend(effects.sends.length);
    const n = live.turn.send + effects.sends.length;
    const id = `msg:${live.record.birth}:${n}` as EnvelopeId;
    const row: SendRow = {
      to,
      id,
      at: frame.now,
      data,
      ...(parent === undefined ? {} : { parent_id: parent }),
      ...(frame.trace === undefined ? {} : { trace: frame.trace }),
    };
    effects.sends.push({ n, row });
    trace.add({ ...ids, type: "message_out", to: `agent:${to}`, message_id: id });
    return id;
  }
  function replyBy(source: Source, to: EnvelopeId, payload: Payload): void {
    if (source.kind === "agent") {
      send(source.agent_id, dataOf(payload), to);
      return;
    }
    const told = live.redactor.json(payload);
    const { seq } = event("reply", { envelope_id: to, to: source, payload: told });
    effects.replies.push({ to, seq, payload: told });
    trace.add({ ...ids, type: "message_out", to: source, payload: shown(payload) });
  }
  function setAlarm(due: number, payload: Json, cron?: string): string {
    if (alarmCount >= MAX_ALARMS) throw tooMany("alarms", MAX_ALARMS);
    const id = shortDigest(`${frame.envelopeId} alarm ${alarmCount++}`);
    const row: AlarmRow = { id, due, payload, ...(cron === undefined ? {} : { cron }) };
    txn.put(key.alarm(due, id), encodeJson(row));
    txn.put(key.alarmId(id), encodeJson(due));
    effects.alarms.push(due);
    trace.add({ ...ids, type: "alarm", action: "set", alarm_id: id, due: isoTime(due) });
    return id;
  }

  const files: FileService = recorded(live.agentFiles, {
    alive,
    signal: abort.signal,
    record: (call) => effects.calls.push(call),
    trace: (fields) => trace.add({ ...ids, ...fields }),
  });
  const port: TickPort = {
    files,
    signal: abort.signal,
    get remainingMicroUsd() {
      return live.ledger.remaining(frame.envelopeId);
    },
    async seen(id) {
      alive("seen", id);
      return await txn.get(key.mark(markId(id))) !== undefined;
    },
    async markSeen(id) {
      alive("markSeen", id);
      const at = key.mark(markId(id));
      if (await txn.get(at) === undefined) txn.put(at, encodeJson({ n: effects.marks++ }));
    },
    // deno-lint-ignore require-await -- rejects instead of throwing
    async send(to, payload) {
      alive("send", to);
      return send(agentId(to), dataOf(checked(payload)));
    },
    async reply(payload, to) {
      alive("reply", to ?? frame.envelopeId);
      const body = checked(payload);
      if (to === undefined || to === frame.envelopeId) {
        return replyBy(frame.source, frame.envelopeId, body);
      }
      const id = envelopeId(to);
      const row = await txn.get(key.pending(id));
      if (!row) {
        throw new FileError("not_found", "reply", id, {
          detail:
            "only an envelope whose handler returned { pending: true } waits for a later reply",
        });
      }
      txn.remove(key.pending(id));
      replyBy(decodeJson<Source>(row), id, body);
    },
    // deno-lint-ignore require-await -- rejects instead of throwing
    async broadcast(name, data) {
      alive("broadcast", name);
      if (typeof name !== "string" || name === "") {
        throw invalid("broadcast", "event", "an event has a name");
      }
      const payload = checked(data);
      event("event", { event: name, data: dataOf(payload) });
      trace.add({ ...ids, type: "message_out", to: "outbox", event: name });
    },
    // deno-lint-ignore require-await -- rejects instead of throwing
    async alarm(due, payload) {
      alive("alarm", String(due));
      if (!Number.isSafeInteger(due) || Math.abs(due) > 8_640_000_000_000_000) {
        throw invalid("alarm", String(due), "a delay in milliseconds or a date");
      }
      return setAlarm(due, dataOf(checked(payload)));
    },
    // deno-lint-ignore require-await -- rejects instead of throwing
    async cron(expression, payload) {
      alive("cron", expression);
      const due = nextCron(expression, frame.now);
      return setAlarm(due, dataOf(checked(payload)), expression);
    },
    async cancelAlarm(id) {
      alive("cancelAlarm", id);
      const at = key.alarmId(String(id).slice(0, 64));
      const row = await txn.get(at);
      if (!row) return false;
      txn.remove(at);
      txn.remove(key.alarm(decodeJson<number>(row), id));
      trace.add({ ...ids, type: "alarm", action: "cancel", alarm_id: id });
      return true;
    },
    async kvGet(name) {
      alive("kv.get", name);
      const row = await txn.get(key.kv(kvName(name)));
      return row && decodeJson<Json>(row);
    },
    // deno-lint-ignore require-await -- rejects instead of throwing
    async kvSet(name, value) {
      alive("kv.set", name);
      txn.put(key.kv(kvName(name)), encodeKv(name, value));
    },
    // deno-lint-ignore require-await -- rejects instead of throwing
    async kvDelete(name) {
      alive("kv.delete", name);
      txn.remove(key.kv(kvName(name)));
    },
    async kvList(prefix) {
      alive("kv.list", prefix);
      const rows = await txn.list({ prefix: key.kv(prefix) });
      return rows.map((row) => ({
        name: nameOfKey(row.key.slice("kv/".length)),
        value: decodeJson<Json>(row.value),
      }));
    },
    log(level, text) {
      if (over) return;
      if (effects.logs.length < MAX_LOG_LINES) effects.logs.push({ level, text });
      trace.add({ ...ids, type: "log", level, text });
    },
  };
  return Object.assign(effects, { port });
}

function invalid(op: string, what: string, detail: string): FileError {
  return new FileError("invalid_request", op, what.slice(0, 140), { detail });
}
function tooMany(what: string, limit: number): FileError {
  return new FileError("too_large", "send", what, {
    detail: `one tick makes at most ${limit} ${what}`,
    extra: { limit },
  });
}
function checked(payload: unknown): Payload {
  const parsed = parsePayload(payload ?? null);
  const bytes = JSON.stringify(parsed).length;
  if (bytes > MAX_PAYLOAD_BYTES) {
    throw new FileError("too_large", "send", "payload", {
      detail: `a message has at most ${MAX_PAYLOAD_BYTES} bytes, this one ${bytes}`,
      extra: { limit_bytes: MAX_PAYLOAD_BYTES, asked_bytes: bytes },
    });
  }
  return parsed;
}
/** A payload as the data that another agent gets. */
function dataOf(payload: Payload): Json {
  if (payload.kind === "text") return payload.text;
  if (payload.kind === "json") return payload.data;
  return payload as unknown as Json;
}
function shown(payload: Payload): unknown {
  const text = JSON.stringify(payload);
  return text.length <= 2048 ? payload : { kind: payload.kind, bytes: text.length };
}
function markId(id: unknown): string {
  if (typeof id === "string" && id !== "" && id.length <= 512 && id.isWellFormed()) return id;
  throw invalid("seen", String(id), "an id is a text of 1 to 512 characters");
}
function kvName(name: unknown): string {
  const fault = typeof name === "string" ? segmentFault(name) : "not a text";
  if (fault) throw invalid("kv", String(name), `a KV name is a file name: ${fault}`);
  return name as string;
}
/** A KV value has at most so many bytes of JSON; more belongs into `/files`. */
export const MAX_KV_BYTES = 512 * 1024;
function encodeKv(name: string, value: Json): Uint8Array {
  const text = JSON.stringify(value);
  if (text === undefined) throw invalid("kv.set", name, "a value is JSON; delete removes one");
  const bytes = encodeJson(value);
  if (bytes.length > MAX_KV_BYTES) {
    throw new FileError("too_large", "kv.set", name, {
      detail:
        `a KV value has at most ${MAX_KV_BYTES} bytes, this one ${bytes.length}; /files takes more`,
      extra: { limit_bytes: MAX_KV_BYTES, asked_bytes: bytes.length },
    });
  }
  return bytes;
}
