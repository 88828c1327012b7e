/** What a tick has done outside, recorded before the handler sees the answer, so that another try of it gets the same answers and does nothing twice. */
import { FileError } from "../fs/error.ts";
import type { Backend } from "./backend.ts";
import type { AgentStorage, Batch } from "./storage.ts";
import { blobKeys, largeRows, readLarge } from "./blob.ts";
import { decodeJson, encodeJson, encodeText, shortDigest } from "./code.ts";
import { key } from "./keys.ts";
import { type Ending, isDone } from "./ending.ts";

/** Row `call/<envelope>/<path>/<request>/<nth>`. Without an ending it is running, or nobody knows what became of it. */
export interface CallRow {
  readonly code_digest: string;
  readonly ending?: Ending;
}

export interface Claim {
  /** Where the record stands, or will. */
  readonly at: string;
  readonly row: CallRow | undefined;
}

export interface Calls {
  /**
   * The record of this request. Same requests are alike: those of before are given out first, in their order, whatever gaps refusals have
   * left between them.
   */
  claim(path: string, digest: string): Promise<Claim>;
  /** Nothing is recorded for a claim: the next same request has it. */
  release(at: string): void;
  /** A record as it stands now; what was done for an earlier try may have ended since it was claimed. */
  again(at: string): Promise<CallRow | undefined>;
  /** Whether a record stands there. */
  has(at: string): boolean;
  /** What puts that a request was refused for now: in the next try it may be had, and is no new one. */
  refuse(path: string, digest: string): Batch;
  /** Rejects with `nondeterministic` when an earlier try with the same code did something that this one has not asked for yet. */
  mustBeForeseen(path: string, digest: string): Promise<void>;
  /** What puts a record; remembered for `rows` once it is committed. */
  record(at: string, ending: Ending | undefined): Batch;
  recorded(batch: Batch): void;
  /** What takes it back: nothing was done. */
  forget(at: string): Batch;
  /** Whether something of this envelope was recorded, now or before. */
  readonly any: boolean;
  /** What earlier tries have recorded is among its rows from now on, also where this one asks for nothing. */
  known(): Promise<void>;
  /** All its rows; they go with the commit of the tick. */
  rows(): string[];
}

export interface CallsOptions {
  readonly storage: AgentStorage;
  readonly backend: Pick<Backend, "timer">;
  readonly envelope: string;
  readonly codeDigest: () => string;
  readonly newBlobId: () => string;
}

/** Where records of one request go: those of an earlier try that are not claimed yet, those given back, and the next new one. */
interface Slots {
  readonly recorded: string[];
  readonly freed: string[];
  next: number;
}

/**
 * How long a new request waits for others of the same try to claim their records: they may be on their way at the same
 * time, in another order than before.
 */
const GRACE_MS = 200;

export function openCalls(options: CallsOptions): Calls {
  const { storage, envelope } = options;
  const slots = new Map<string, Slots>();
  const unclaimed = new Map<string, CallRow>();
  const keys = new Set<string>();
  /** Of this try and of those before. */
  const refused = new Set<string>();
  let earlier: Promise<Map<string, CallRow>> | undefined;

  async function load(): Promise<Map<string, CallRow>> {
    const found = new Map<string, CallRow>();
    for (const row of await storage.list({ prefix: key.calls(envelope) })) {
      if (row.key.startsWith(key.refused(envelope, ""))) {
        keys.add(row.key);
        refused.add(row.key);
        continue;
      }
      const call = await read(row.key);
      if (!call) continue;
      slotsOf(row.key).recorded.push(row.key);
      found.set(row.key, call);
      unclaimed.set(row.key, call);
    }
    return found;
  }
  async function read(at: string): Promise<CallRow | undefined> {
    const bytes = await readLarge(storage, at);
    if (!bytes) return undefined;
    keys.add(at);
    for (const chunk of blobKeys(await storage.get(at))) keys.add(chunk);
    return decodeJson<CallRow>(bytes);
  }
  const refusedAt = (path: string, of: string) =>
    key.refused(envelope, shortDigest(`${path} ${of}`));
  function slotsOf(at: string): Slots {
    const same = at.slice(0, at.lastIndexOf("/"));
    let known = slots.get(same);
    if (!known) slots.set(same, known = { recorded: [], freed: [], next: 0 });
    return known;
  }
  return {
    async claim(path, digest) {
      const rows = await (earlier ??= load());
      const nth = (n: number) => key.call(envelope, path, digest, n);
      const same = slotsOf(nth(0));
      let at = same.recorded.shift() ?? same.freed.pop();
      while (at === undefined) {
        const next = nth(same.next++);
        if (!rows.has(next)) at = next;
      }
      unclaimed.delete(at);
      return { at, row: rows.get(at) };
    },
    release(at) {
      if (!keys.has(at)) slotsOf(at).freed.push(at);
    },
    async again(at) {
      const row = await read(at);
      const rows = await (earlier ??= load());
      if (row) rows.set(at, row);
      else {
        keys.delete(at);
        rows.delete(at);
      }
      return row;
    },
    has: (at) => keys.has(at),
    refuse(path, digest) {
      const at = refusedAt(path, digest);
      keys.add(at);
      refused.add(at);
      return { check: [], remove: [], put: [{ key: at, value: encodeText("{}") }] };
    },
    async mustBeForeseen(path, digest) {
      if (refused.has(refusedAt(path, digest))) return;
      const isOpen = () =>
        [...unclaimed.values()].some(({ code_digest }) => code_digest === options.codeDigest());
      if (!isOpen()) return;
      await new Promise<void>((resolve) => options.backend.timer(GRACE_MS, resolve));
      // What an earlier try began and has failed in the meantime was taken back.
      for (const at of [...unclaimed.keys()]) {
        if (await storage.get(at) === undefined) unclaimed.delete(at);
      }
      if (!isOpen()) return;
      throw new FileError("nondeterministic", "call", path, {
        detail:
          "an earlier try of this envelope did something else outside, and this one does not repeat it; " +
          "an operator may replay the envelope fresh",
      });
    },
    record(at, ending) {
      const row: CallRow = {
        code_digest: options.codeDigest(),
        ...(ending ? { ending } : {}),
      };
      const put = largeRows(at, encodeJson(row), options.newBlobId);
      return { check: [], remove: [], put };
    },
    recorded(batch) {
      for (const row of batch.put) keys.add(row.key);
    },
    forget(at) {
      keys.delete(at);
      return { check: [], remove: [at], put: [] };
    },
    get any() {
      return keys.size > 0;
    },
    async known() {
      await (earlier ??= load());
    },
    rows: () => [...keys],
  };
}

/** The recorded answer. @throws FileError the recorded refusal; `interrupted` where nobody knows how it ended */
export function answerOf(row: { readonly ending?: Ending }, path: string) {
  if (!row.ending) throw unknownOutcome(path);
  if (isDone(row.ending)) return row.ending.answer;
  const { code, detail, extra } = row.ending.error;
  throw new FileError(code, "call", path, {
    ...(detail === undefined ? {} : { detail }),
    ...(extra === undefined ? {} : { extra }),
  });
}

export function unknownOutcome(path: string): FileError {
  return new FileError("interrupted", "call", path, {
    detail:
      "this was begun before, and nobody knows how it ended; it is not done again by itself: " +
      "see what has become of it, then use another idempotency_key, or let an operator replay the envelope fresh",
    extra: { outcome: "unknown" },
  });
}
