/** Every row an owner can have. Numbers are padded so that byte order is numeric order; names are encoded. */

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

const encoder = new TextEncoder();
const decoder = new TextDecoder();
/** Bytes up to here are `%XX`, so that what comes before a name's other characters sorts before them. */
const LOW = 0x25;
/** Bytes from here on are `~XX`, for the same reason. "/" would end the name. */
const HIGH = 0x7e;
const SLASH = 0x2f;
const PLAIN = /^[&-.0-}]*$/;

/** Any name as a part of a key: printable ASCII without "/", one key a name, in the byte order of the names ("/" apart). */
export function keyName(name: string): string {
  if (PLAIN.test(name)) return name;
  let out = "";
  for (const byte of encoder.encode(name)) {
    const hex = byte.toString(16).toUpperCase().padStart(2, "0");
    if (byte <= LOW || byte === SLASH) out += "%" + hex;
    else out += byte >= HIGH ? "~" + hex : String.fromCharCode(byte);
  }
  return out;
}

export function nameOfKey(part: string): string {
  if (PLAIN.test(part)) return part;
  const bytes: number[] = [];
  for (let i = 0; i < part.length; i++) {
    const escape = part[i] === "%" || part[i] === "~";
    bytes.push(escape ? parseInt(part.slice(i + 1, i + 3), 16) : part.charCodeAt(i));
    if (escape) i += 2;
  }
  return decoder.decode(Uint8Array.from(bytes));
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
  /** The bundled module of an agent that is not built in. */
  code: "code",
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
  /** An envelope that waits for its next try, by when that is at the latest. */
  retry: (dueMs: number, n: number) => `retry/${padMs(dueMs)}/${padN(n)}`,
  /** `{ n, now, errors, waits? }`: tries of the inbox envelope of that number. */
  tries: (n: number) => `try/${padN(n)}`,
  /** Which outbox event answers an envelope. */
  reply: (envelope: string, n: number) => `reply/${envelope}/${padN(n)}`,
  /** The source of an envelope whose reply comes in a later tick. */
  pending: (id: string) => `pending/${id}`,
  kv: (name: string) => `kv/${keyName(name)}`,
  goal: (id: string) => `goal/${keyName(id)}`,
  /** A file's head: `file/<directories>//<name>`, so that the entries of a directory stand together, in byte order. */
  file: (names: readonly string[]) => key.entries(names.slice(0, -1)) + keyName(names.at(-1) ?? ""),
  /** A directory, which stands as long as something is in it. "!" sorts before all that a longer name goes on with. */
  folder: (names: readonly string[]) => key.file(names) + "!",
  /** What the keys of a directory's entries begin with, and no others. */
  entries: (names: readonly string[]) => key.below(names) + "/",
  /** What the keys of all below a directory begin with, and no others. */
  below: (names: readonly string[]) => "file/" + names.map((name) => keyName(name) + "/").join(""),
  /** A chunk of a large value. */
  blob: (id: string, n: number) => `blob/${id}/${padN(n)}`,
  /** A blob that no head names yet; what a crash leaves is swept by it. */
  draft: (id: string) => `draft/${id}`,
  /** One record a try. */
  trajectory: (n: number) => `trajectory/${padN(n)}`,
  /** A reservation, by the UTC day in which it was made. */
  budget: (dayMs: number, n: number) => `${key.budgetDay(dayMs)}${padN(n)}`,
  budgetDay: (dayMs: number) => `budget/${padMs(dayMs)}/`,
  /** There as long as what `at` names has not ended, so that a start finds it. */
  open: (at: string) => `open/${at}`,
  /** What was done outside in the tick of an envelope: by file, request and how many same ones came before. */
  call: (envelope: string, path: string, digest: string, nth: number) =>
    `${key.calls(envelope)}${keyName(path)}/${digest}/${padN(nth)}`,
  calls: (envelope: string) => `call/${envelope}/`,
  /** A request in the tick of an envelope that was refused for now. No path is written like that: see `keyName`. */
  refused: (envelope: string, digest: string) => `${key.calls(envelope)}~refused/${digest}`,
  /** An idempotency key's entry. */
  journal: (id: string) => `journal/${id}`,
  /** When a journal's entry may go. */
  journalEnd: (ms: number, id: string) => `journalend/${padMs(ms)}/${id}`,
  /** A job of a mount. */
  job: (mount: string, id: string) => `${key.jobs(mount)}${id}`,
  jobs: (mount: string) => `job/${keyName(mount)}/`,
  /** `input` and `result` of a job, of any size. */
  jobValue: (id: string, name: "input" | "result") => `jobvalue/${id}/${name}`,
  /** What a job has stored by itself, of any size. No other value of it is written like that: see `keyName`. */
  jobStored: (id: string, name: string) => `jobvalue/${id}/~/${keyName(name)}`,
  jobValues: (id: string) => `jobvalue/${id}/`,
  /** An event of a job's stream. */
  jobEvents: (id: string) => `jobevent/${id}/`,
  /** A finished job, by the time of its end. */
  jobEnd: (ms: number, mount: string, id: string) => `jobend/${padMs(ms)}/${keyName(mount)}/${id}`,
  /** How often a mount was used, in this minute and this day. */
  rate: (mount: string) => `rate/${keyName(mount)}`,
  /** A question to a person. */
  approval: (id: string) => `approval/${id}`,
  /** Which question about a request stands. */
  question: (digest: string) => `question/${digest}`,
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
export const TOKENS = "@tokens";
export const tokenKey = {
  /** A scoped token's grant and digest. */
  token: (id: string) => `token/${id}`,
} as const;
export const HOOKS = "@hooks";
export const hookKey = {
  /** An incoming webhook, without its secret. */
  hook: (name: string) => `hook/${name}`,
} as const;
export const registryKey = {
  /** `{ created_at }` of every agent that can be reached. */
  agent: (id: string) => `agent/${id}`,
  /** An agent whose create or delete has begun and not ended. */
  open: (id: string) => `open/${id}`,
} as const;
export const runtimeKey = {
  /** There after a graceful stop, gone while running. */
  clean: "clean",
  /** There once a runtime has been started on these rows. */
  known: "known",
  paused: "paused",
} as const;
