/**
 * The idempotency journal of an agent: what was asked for under a key, and how it ended. An entry without an ending, which nobody
 * in memory works on, is `unknown`: it stays until it is resolved, and nothing is done again for it.
 */
import { FileError } from "../fs/error.ts";
import type { AgentStorage, Batch } from "./storage.ts";
import type { Json } from "./envelope.ts";
import { decodeJson, digest, encodeJson, encodeText } from "./code.ts";
import { blobKeys, largeRows, readLarge } from "./blob.ts";
import { answerOf } from "./calls.ts";
import type { Ending } from "./ending.ts";
import { isoTime } from "./id.ts";
import { key } from "./keys.ts";
import type { UnknownEffect } from "./budget.ts";

/** How long an ended entry is kept. */
export const JOURNAL_TTL_MS = 3_600_000;
/** Expired entries that are removed in one go, and after how many new ones that is tried. */
const SWEEP_BATCH = 32;
const SWEEP_EVERY = 16;

/** Row `journal/<id>`. Times are milliseconds. */
interface Entry {
  /** Digest of the request. */
  readonly d: string;
  readonly at: number;
  /** The file it was written to, and the key. */
  readonly path: string;
  readonly key: string;
  readonly ending?: Ending;
  /** When it may go; absent as long as it has no ending. */
  readonly ends?: number;
}

export interface Journal {
  /** `{provider}` and `{key}` of one agent, as an id. */
  idOf(scope: string, key: string): string;
  /**
   * What is known of an id. `fresh`: nothing, or nothing any more; `check` says so in the commit that begins it.
   * @throws FileError `conflict` for another request, `interrupted` where it was begun and nobody knows its end, and a recorded refusal
   */
  get(
    id: string,
    requestDigest: string,
    path: string,
  ): Promise<{ fresh: Batch } | { answer: Json }>;
  begin(order: Journaled): Batch;
  complete(order: Journaled, ending: Ending): Batch;
  /** Nothing was done: the key is free again. */
  fail(id: string): Batch;
  /** Entries without an ending. */
  open(): Promise<UnknownEffect[]>;
  /**
   * An operator knows what became of one: its answer, or, without one, that nothing was done, so that it may be asked for again.
   * Rejects with `not_found` for an entry that there is not or that has an ending.
   */
  resolve(id: string, answer: Json | undefined): Promise<void>;
  /** Removes what has expired, a batch; most calls of it do nothing. */
  cleanup(): Promise<void>;
}

/** What is done under a key. */
export interface Journaled {
  readonly id: string;
  readonly digest: string;
  readonly path: string;
  readonly key: string;
}

export function openJournal(
  { storage, now, newBlobId }: {
    readonly storage: AgentStorage;
    readonly now: () => number;
    readonly newBlobId: () => string;
  },
): Journal {
  let begun = 0;
  return {
    idOf: (scope, name) => digest(`${scope}\0${name}`),
    async get(id, requestDigest, path) {
      const at = key.journal(id);
      const value = await storage.get(at);
      const bytes = value && await readLarge(storage, at);
      const entry = bytes && decodeJson<Entry>(bytes);
      if (!entry) return { fresh: { check: [{ key: at, value: undefined }], remove: [], put: [] } };
      if (entry.ends !== undefined && entry.ends <= now()) {
        const remove = [key.journalEnd(entry.ends, id), ...blobKeys(value)];
        return { fresh: { check: [{ key: at, value }], remove, put: [] } };
      }
      mustBeSame(entry.d, requestDigest, path);
      return { answer: answerOf(entry, path) };
    },
    begin({ id, digest: d, path, key: name }) {
      const entry: Entry = { d, at: now(), path, key: name };
      return {
        check: [],
        remove: [],
        put: [
          { key: key.journal(id), value: encodeJson(entry) },
          { key: key.open(key.journal(id)), value: encodeText("{}") },
        ],
      };
    },
    complete({ id, digest: d, path, key: name }, ending) {
      const ends = now() + JOURNAL_TTL_MS;
      const entry: Entry = { d, at: now(), path, key: name, ending, ends };
      return {
        check: [],
        remove: [key.open(key.journal(id))],
        put: [
          ...largeRows(key.journal(id), encodeJson(entry), newBlobId),
          { key: key.journalEnd(ends, id), value: encodeText("{}") },
        ],
      };
    },
    fail: (id) => ({
      check: [],
      remove: [key.journal(id), key.open(key.journal(id))],
      put: [],
    }),
    async open() {
      const found: UnknownEffect[] = [];
      for (const { key: marker } of await storage.list({ prefix: key.open("journal/") })) {
        const at = marker.slice(key.open("").length);
        const bytes = await storage.get(at);
        if (!bytes) continue;
        const { path, key: name, at: begun } = decodeJson<Entry>(bytes);
        const id = at.slice(key.journal("").length);
        found.push({ id, path, idempotency_key: name, begun_at: isoTime(begun) });
      }
      return found;
    },
    async resolve(id, answer) {
      const at = key.journal(id);
      const marker = key.open(at);
      const [bytes, open] = await Promise.all([storage.get(at), storage.get(marker)]);
      if (!bytes || !open) {
        throw new FileError("not_found", "resolve", id.slice(0, 80), {
          detail: "nothing of this id waits to be resolved",
        });
      }
      const { d, path, key: name } = decodeJson<Entry>(bytes);
      const order = { id, digest: d, path, key: name };
      const batch = answer === undefined ? this.fail(id) : this.complete(order, { answer });
      // The entry too: it may have been resolved in between, and begun anew.
      const check = [{ key: marker, value: open }, { key: at, value: bytes }];
      await storage.commit({ ...batch, check });
    },
    async cleanup() {
      if (begun++ % SWEEP_EVERY !== 0) return;
      const through = key.journalEnd(now(), "~");
      const rows = (await storage.list({ prefix: "journalend/", limit: SWEEP_BATCH }))
        .filter((row) => row.key < through);
      for (const row of rows) {
        const at = key.journal(row.key.slice(row.key.lastIndexOf("/") + 1));
        const value = await storage.get(at);
        await storage.commit({
          // The end too: an entry that was begun anew in between has another.
          check: [{ key: row.key, value: row.value }, { key: at, value }],
          remove: [row.key, at, ...blobKeys(value)],
          put: [],
        });
      }
    },
  };
}

/** @throws FileError `conflict` */
export function mustBeSame(known: string, asked: string, path: string): void {
  if (known === asked) return;
  throw new FileError("conflict", "call", path, {
    detail: "this idempotency_key was used before for another request; use a new one",
  });
}
