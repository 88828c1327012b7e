/** Every row an owner can have. Numbers are padded so that byte order is numeric order; names are percent-encoded. */

const N = 12;
const MS = 16;

/** A number in a key: 12 digits. */
export function padN(n: number): string {
  return String(n).padStart(N, "0");
}

/** A time in a key: 16 digits of milliseconds; times before 1970 count as 1970. */
export function padMs(ms: number): string {
  return String(Math.max(0, ms)).padStart(MS, "0");
}

/** Percent-encodes all but unreserved ASCII, so that any name is a key. Upper-case hex, so each name has one key. */
export function keyName(name: string): string {
  return encodeURIComponent(name).replace(
    /[!'()*~]/g,
    (c) => "%" + c.charCodeAt(0).toString(16).toUpperCase(),
  );
}

export function nameOfKey(part: string): string {
  return decodeURIComponent(part);
}

/** The number that ends a key: `inbox/000000000007` → 7. */
export function numberOfKey(key: string): number {
  return Number(key.slice(key.lastIndexOf("/") + 1));
}

/** Rows of an agent. */
export const key = {
  /** AgentRecord: what create and the operator decide. */
  agent: "agent",
  /** Phase: `{ phase, since, error? }`. */
  phase: "phase",
  /** Its state, JSON. Larger than a value: a blob head. */
  state: "state",
  /** Turn: what each tick changes: counts and the last tick's summary. */
  turn: "turn",
  /** Inbox overflow policy. */
  overflow: "overflow",
  /** A waiting envelope, in the order of acceptance. */
  inbox: (n: number) => `inbox/${padN(n)}`,
  /** `{ n, digest }` of an accepted envelope id. */
  seen: (id: string) => `seen/${id}`,
  /** `ctx.markSeen(id)`. */
  mark: (id: string) => `mark/${keyName(id)}`,
  /** A dead letter. */
  dead: (id: string) => `dead/${id}`,
  /** An event of `/outbox`. */
  outbox: (n: number) => `outbox/${padN(n)}`,
  /** A message on its way to another agent. */
  send: (n: number) => `send/${padN(n)}`,
  /** The highest `send` number taken from a sender's life. */
  peer: (sender: string, birth: string) => `peer/${sender}.${birth}`,
  /** An alarm, by the time it is due. */
  alarm: (dueMs: number, id: string) => `alarm/${padMs(dueMs)}/${keyName(id)}`,
  /** Where an alarm's row stands: its due time. */
  alarmId: (id: string) => `alarmid/${keyName(id)}`,
  /** An envelope that waits for its next try. */
  retry: (dueMs: number, n: number) => `retry/${padMs(dueMs)}/${padN(n)}`,
  /** `{ n, now, errors }`: tries of the inbox envelope of that number. */
  tries: (n: number) => `try/${padN(n)}`,
  /** Which outbox event answers an envelope. */
  reply: (envelope: string, n: number) => `reply/${envelope}/${padN(n)}`,
  kv: (name: string) => `kv/${keyName(name)}`,
  goal: (id: string) => `goal/${keyName(id)}`,
  /** A file's head. Segments are encoded one by one, so that a directory is a prefix. */
  file: (segments: readonly string[]) => `file/${segments.map(keyName).join("/")}`,
  /** A chunk of a large value. */
  blob: (id: string, n: number) => `blob/${id}/${padN(n)}`,
  /** A blob that no head names yet; what a crash leaves is swept by it. */
  draft: (id: string) => `draft/${id}`,
  /** One record a try. */
  trajectory: (n: number) => `trajectory/${padN(n)}`,
  /** A batch of trace events, by the first one's seq. */
  trace: (firstSeq: number) => `trace/${padN(firstSeq)}`,
} as const;

/** Families that `Backend.find` answers for, by owner. */
export const FOUND_BY_OWNER = ["inbox/", "send/", "open/", "draft/"] as const;
/** Families that `Backend.find` answers for, by time. */
export const FOUND_BY_TIME = ["alarm/", "retry/"] as const;

/** Rows of the runtime's own owners. */
export const REGISTRY = "@registry";
export const RUNTIME = "@runtime";
export const registryKey = {
  /** `{ created_at }` of every agent that can be reached. */
  agent: (id: string) => `agent/${id}`,
  /** An agent whose create or delete has begun and not ended. */
  open: (id: string) => `open/${id}`,
} as const;
export const runtimeKey = {
  /** There after a graceful stop, gone while running. */
  clean: "clean",
  paused: "paused",
} as const;
