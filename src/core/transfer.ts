/**
 * An agent as one file, and an agent from such a file. The format: UTF-8 lines of JSON. First a head `{ format, version, agent, … }`, then one
 * line `{ k, v }` or `{ k, b }` a row (a JSON value as it is, other bytes in base64), last `{ rows, sha256 }` over all lines before it.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { z } from "zod";
import { FileError } from "../fs/error.ts";
import type { AgentRecord, Phase, Turn } from "./record.ts";
import type { Backend } from "./backend.ts";
import type { AgentId } from "./id.ts";
import type { ImportMode } from "./runtime.ts";
import type { Live } from "./live.ts";
import type { Row } from "./storage.ts";
import type { SigningService } from "./provider.ts";
import { agentId, isoTime, uuidv4 } from "./id.ts";
import { checkedLimits } from "./limits.ts";
import { checkedBudgets, mergedBudgets } from "./budgets.ts";
import { HOST_SETTING } from "./configure.ts";
import { checkedMounts, withoutDirectories } from "./mounts.ts";
import { decodeJson, decodeText, encodeJson, encodeText } from "./code.ts";
import { DEFAULT_LIMITS } from "./agent.ts";
import { FIRST_TURN } from "./record.ts";
import { adopted, isOurs } from "./imported.ts";
import { blobOf, sweepDrafts } from "./blob.ts";
import { parseJson } from "./strange.ts";
import { KEY, MAX_VALUE_BYTES } from "./storage.ts";
import { key } from "./keys.ts";
import { pages } from "./pages.ts";
import type { ServiceTable } from "./view.ts";

export const EXPORT_FORMAT = "agentd export";
/** Raised when rows change their meaning; an older file is still read, a newer one refused. */
export const EXPORT_VERSION = 1;
/** A line holds one row, whose value grows by a third in base64. */
const MAX_LINE_BYTES = 2 * MAX_VALUE_BYTES;
/** What an agent keeps is less deep, with all that is put around it. */
const MAX_LINE_DEPTH = 1_000;
/** Rows committed at once. */
const BATCH_ROWS = 256;
const BATCH_BYTES = 2 * 1024 * 1024;

/** What was done and paid outside, and what people were asked about it. */
const BOUGHT = [
  "open/",
  "job/",
  "jobvalue/",
  "jobevent/",
  "jobend/",
  "journal/",
  "journalend/",
  "budget/",
  "approval/",
  "question/",
];
/** What a clone does not take over: what is on its way belongs to the one life it was sent in. */
const NOT_CLONED = [
  "inbox/",
  "seen/",
  "send/",
  "peer/",
  "retry/",
  "try/",
  "dead/",
  "pending/",
  "call/",
  "outbox/",
  "reply/",
  ...BOUGHT,
];
/** Families that a file may hold; the rest is made anew. `trace/` is evidence of this machine and stays. Drafts stand in older files alone. */
const CARRIED = [
  "agent",
  "phase",
  "code",
  "state",
  "turn",
  "overflow",
  "inbox/",
  "seen/",
  "mark/",
  "dead/",
  "outbox/",
  "send/",
  "peer/",
  "alarm/",
  "alarmid/",
  "retry/",
  "try/",
  "reply/",
  "pending/",
  "call/",
  "kv/",
  "goal/",
  "file/",
  "blob/",
  "draft/",
  ...BOUGHT,
  "trajectory/",
];

const headSchema = z.object({
  format: z.literal(EXPORT_FORMAT),
  version: z.number().int().min(1),
  exported_at: z.string(),
  agent: z.object({ id: z.string(), name: z.string(), birth: z.string(), pubkey: z.string() }),
  /** NIP-49, only where it was asked for. */
  ncryptsec: z.string().optional(),
});
export type ExportHead = z.infer<typeof headSchema>;

/** The lines of an agent's file. The caller holds the agent meanwhile. `passphrase`: the private key goes along, encrypted by NIP-49. */
export async function* exportAgent(
  live: Live,
  signer: SigningService,
  passphrase?: string,
): AsyncGenerator<Uint8Array> {
  const { id, name, birth, pubkey } = live.record;
  const hash = sha256.create();
  let rows = 0;
  const line = (value: unknown): Uint8Array => {
    const bytes = encodeText(JSON.stringify(value) + "\n");
    hash.update(bytes);
    return bytes;
  };
  const head: ExportHead = {
    format: EXPORT_FORMAT,
    version: EXPORT_VERSION,
    exported_at: isoTime(live.backend.now()),
    agent: { id, name, birth, pubkey },
    ...(passphrase === undefined ? {} : { ncryptsec: await signer.exportKey(id, passphrase) }),
  };
  yield line(head);
  const drafts = await draftsOf(live);
  for (const prefix of CARRIED) {
    for await (const page of pages(live.storage, prefix, 64)) {
      for (const row of page) {
        if (!carried(row.key, prefix) || isDraft(row.key, drafts)) continue;
        rows++;
        yield line(lineOf(row));
      }
    }
  }
  yield encodeText(JSON.stringify({ rows, sha256: bytesToHex(hash.digest()) }) + "\n");
}

/** Files that somebody is writing: their chunks are no part of the agent yet, and their writer does not come along. */
async function draftsOf({ storage }: Live): Promise<ReadonlySet<string>> {
  const drafts = new Set<string>();
  for await (const page of pages(storage, "draft/", 64)) {
    for (const { key } of page) drafts.add(key.slice("draft/".length));
  }
  return drafts;
}

function isDraft(at: string, drafts: ReadonlySet<string>): boolean {
  const [family, id] = at.split("/", 2);
  return family === "draft" || (family === "blob" && drafts.has(id!));
}

/** `agent` names one row; `alarm/` all below it. */
function carried(at: string, prefix: string): boolean {
  return prefix.endsWith("/") ? at.startsWith(prefix) : at === prefix;
}

function lineOf({ key, value }: Row): { k: string; v?: unknown; b?: string } {
  const first = value[0];
  // Only what reads back byte for byte is written as JSON.
  if (first !== undefined && first !== 0) {
    const text = decodeText(value);
    try {
      const parsed = JSON.parse(text);
      if (JSON.stringify(parsed) === text) return { k: key, v: parsed };
    } catch { /* bytes */ }
  }
  return { k: key, b: value.toBase64() };
}

export interface ImportOptions {
  readonly id: AgentId | undefined;
  readonly mode: ImportMode;
  readonly passphrase: string | undefined;
  readonly services: ServiceTable;
  readonly signer: SigningService;
  readonly backend: Backend;
  /** Called with the id once the head is read: reserves it, or rejects. */
  readonly begin: (id: AgentId) => Promise<void>;
}

/** Reads a file and writes its rows; the caller finishes or undoes the registry's part. @throws FileError `invalid_request`, `corrupt`, `not_supported` */
export async function importRows(
  chunks: AsyncIterable<Uint8Array>,
  options: ImportOptions,
): Promise<AgentId> {
  const { backend, mode } = options;
  const hash = sha256.create();
  let id: AgentId | undefined;
  let head: ExportHead | undefined;
  let rows = 0;
  let end: { rows: number; sha256: string } | undefined;
  let batch: Row[] = [];
  let bytes = 0;
  let record: AgentRecord | undefined;

  async function flush(): Promise<void> {
    if (batch.length === 0) return;
    const put = batch;
    batch = [];
    bytes = 0;
    await backend.storage(id!).commit({ check: [], remove: [], put });
  }
  for await (const { text, raw } of lines(chunks)) {
    if (end) throw corrupt("there is more behind its last line");
    const value = parseLine(text);
    if (!head) {
      head = headOf(value);
      id = options.id ?? agentId(head.agent.id);
      await options.begin(id);
    } else if (Object.hasOwn(value, "sha256")) {
      end = value as unknown as { rows: number; sha256: string };
      continue;
    } else {
      const row = rowOf(value);
      rows++;
      if (row.key === key.agent) record = decodeJson<AgentRecord>(row.value);
      else {
        const stays = mode === "clone" && NOT_CLONED.some((prefix) => row.key.startsWith(prefix));
        const taken = stays ? withoutHead(row) : adopted(row);
        if (taken) batch.push(taken);
        bytes += taken?.value.length ?? 0;
        if (batch.length >= BATCH_ROWS || bytes >= BATCH_BYTES) await flush();
      }
    }
    hash.update(raw);
  }
  if (!head || !id) throw corrupt("it is empty");
  if (!end || end.rows !== rows || end.sha256 !== bytesToHex(hash.digest())) {
    throw corrupt(end ? "its rows do not match its checksum" : "its end is missing");
  }
  if (!record) throw corrupt("it has no agent in it");
  await flush();
  const pubkey = await keyOf(id, head, options);
  batch.push({ key: key.agent, value: encodeJson(checkedRecord(record, id, pubkey, options)) });
  if (mode === "clone") batch.push(await clonedTurn(backend, id));
  if (!await backend.storage(id).get(key.phase)) {
    const phase: Phase = { phase: "active", since: backend.now() };
    batch.push({ key: key.phase, value: encodeJson(phase) });
  }
  await flush();
  // What no head came to name stands nowhere else in the file, and would count for ever.
  await sweepDrafts(backend.storage(id));
  return id;
}

/** The chunks of a large value may stand before its row or behind it: without the row, they are a draft. */
function withoutHead({ key: at, value }: Row): Row | undefined {
  try {
    const blob = blobOf(value);
    if (blob === undefined) return undefined;
    const draft = key.draft(blob);
    if (KEY.test(draft) && !blob.includes("/")) return { key: draft, value: encodeJson({}) };
  } catch { /* told below */ }
  throw corrupt(`the row ${at} is not as an agent has it`);
}

/** A clone counts on from where its original was; only failures are its own. */
async function clonedTurn(backend: Backend, id: AgentId): Promise<Row> {
  const row = await backend.storage(id).get(key.turn);
  const turn: Turn = {
    ...(row ? decodeJson<Turn>(row) : FIRST_TURN),
    failures: 0,
    last_error: null,
  };
  return { key: key.turn, value: encodeJson(turn) };
}

/** The key goes along with a restore where the file has it; else, and for a clone, a new one is made. */
async function keyOf(id: AgentId, head: ExportHead, options: ImportOptions): Promise<string> {
  const { signer, mode, passphrase } = options;
  if (mode === "clone" || head.ncryptsec === undefined) return await signer.create(id);
  if (passphrase === undefined) {
    throw new FileError("invalid_request", "import", id, {
      detail:
        "the file has the agent's key, encrypted: give its passphrase, or import it as a clone",
    });
  }
  return await signer.importKey(id, head.ncryptsec, passphrase);
}

function checkedRecord(
  record: AgentRecord,
  id: AgentId,
  pubkey: string,
  { mode, services, backend }: ImportOptions,
): AgentRecord {
  const kind = record.agent?.kind;
  if (kind !== "builtin" && kind !== "module") throw corrupt("its agent is of no known kind");
  return {
    ...record,
    id,
    name: String(record.name),
    pubkey,
    birth: mode === "clone" ? uuidv4(backend.random(16)) : String(record.birth),
    limits: checkedLimits(record.limits, DEFAULT_LIMITS),
    // A file must not open directories of this host: an operator mounts them again.
    mounts: checkedMounts(services, withoutDirectories(record.mounts)),
    settings: withoutHost(record.settings),
    // Another life has its own money: an operator gives it.
    budgets: mode === "clone"
      ? {}
      : mergedBudgets({}, checkedBudgets(services, record.budgets ?? {})),
    request: `import ${record.request}`,
  };
}

/** Settings that open the host, such as its private addresses, are as little carried as its directories. */
function withoutHost(settings: AgentRecord["settings"]): NonNullable<AgentRecord["settings"]> {
  return Object.fromEntries(
    Object.entries(settings ?? {}).filter(([name]) => !name.startsWith(HOST_SETTING)),
  );
}

function headOf(value: Record<string, unknown>): ExportHead {
  const head = headSchema.safeParse(value);
  if (!head.success) throw corrupt(`its first line is not of the format "${EXPORT_FORMAT}"`);
  if (head.data.version > EXPORT_VERSION) {
    throw new FileError("not_supported", "import", "file", {
      detail:
        `it is of version ${head.data.version}, this program reads up to ${EXPORT_VERSION}; import it with a newer agentd`,
    });
  }
  return head.data;
}

function rowOf(value: Record<string, unknown>): Row {
  const { k, v, b } = value;
  if (typeof k !== "string" || !KEY.test(k) || !CARRIED.some((prefix) => carried(k, prefix))) {
    throw corrupt(`it has a row of no known kind: ${JSON.stringify(k)?.slice(0, 80)}`);
  }
  const bytes = typeof b === "string" ? bytesOf(b) : encodeJson(v ?? null);
  if (!bytes || bytes.length > MAX_VALUE_BYTES) throw corrupt(`the row ${k} is not readable`);
  const row = { key: k, value: bytes };
  if (!isOurs(row)) throw corrupt(`the row ${k} is not as an agent has it`);
  return row;
}

function bytesOf(base64: string): Uint8Array | undefined {
  try {
    return Uint8Array.fromBase64(base64);
  } catch {
    return undefined;
  }
}

function parseLine(text: string): Record<string, unknown> {
  try {
    const value = parseJson(text, MAX_LINE_DEPTH);
    if (value && typeof value === "object" && !Array.isArray(value)) return value;
  } catch { /* told below */ }
  throw corrupt(`a line of it is no JSON object: ${JSON.stringify(text.slice(0, 60))}`);
}

/** Lines of a stream, without ever holding more than one. */
async function* lines(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<{ text: string; raw: Uint8Array }> {
  let rest = new Uint8Array(0);
  for await (const chunk of chunks) {
    const data = new Uint8Array(rest.length + chunk.length);
    data.set(rest);
    data.set(chunk, rest.length);
    let from = 0;
    for (let at = data.indexOf(10); at >= 0; at = data.indexOf(10, from)) {
      const raw = data.subarray(from, at + 1);
      yield { text: decodeText(raw.subarray(0, -1)), raw };
      from = at + 1;
    }
    rest = data.slice(from);
    if (rest.length > MAX_LINE_BYTES) throw corrupt("a line of it is too long");
  }
  if (rest.length > 0) throw corrupt("its last line is cut");
}

function corrupt(detail: string): FileError {
  return new FileError("invalid_request", "import", "file", {
    detail: `this is no whole export of an agent: ${detail}`,
  });
}
