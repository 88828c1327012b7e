/** Dead letters: envelopes that were given up or did not fit, kept with their errors until an operator replays or discards them. */
import { FileError } from "../fs/error.ts";
import type { AgentStorage, Batch, Row } from "./storage.ts";
import type { DeadLetter } from "./view.ts";
import type { Envelope } from "./envelope.ts";
import type { EnvelopeId } from "./id.ts";
import type { Failure } from "./agent.ts";
import { decodeJson, encodeJson } from "./code.ts";
import { blobKeys, largeRows, readLarge, wholeValue } from "./blob.ts";
import { key } from "./keys.ts";
import { pages } from "./pages.ts";

/** Failed envelopes kept beside `dead_letter_max`; beyond it the agent fails and keeps the envelope in its inbox. */
export const MAX_FAILED = 1_000;
const PAGE = 100;

/** Row `dead/<id>`. */
export interface DeadRow {
  readonly envelope: Envelope;
  readonly reason: DeadLetter["reason"];
  readonly at: number;
  readonly tries: number;
  readonly errors: readonly (Failure & { readonly at: string })[];
}

export interface DeadLetters {
  /** The rows of a new letter; after their commit the caller says `added`. */
  rows(row: Omit<DeadRow, "at">): Promise<{ readonly rows: Row[]; added(): void }>;
  get(id: string): Promise<DeadRow | undefined>;
  has(id: string): Promise<boolean>;
  list(page: { readonly after?: string; readonly limit: number }): Promise<DeadRow[]>;
  countFailed(): Promise<number>;
  countOverflow(): Promise<number>;
  /** What removes the letter; the caller commits it, then calls `gone`. */
  removal(id: EnvelopeId): Promise<{ readonly row: DeadRow; readonly batch: Batch }>;
  gone(row: DeadRow): void;
}

export interface DeadOptions {
  readonly storage: AgentStorage;
  readonly now: () => number;
  readonly newBlobId: () => string;
}

export function makeDeadLetters(options: DeadOptions): DeadLetters {
  const { storage } = options;
  /** Counted when first asked for. */
  let counts: Promise<{ failed: number; overflow: number }> | undefined;

  async function list(
    page: { readonly after?: string; readonly limit: number },
  ): Promise<DeadRow[]> {
    const rows = await storage.list({
      prefix: "dead/",
      limit: page.limit,
      ...(page.after === undefined ? {} : { after: key.dead(page.after) }),
    });
    return await Promise.all(rows.map(letterOf));
  }
  async function letterOf(row: Row): Promise<DeadRow> {
    return decodeJson<DeadRow>(await wholeValue(storage, row.value) ?? row.value);
  }
  async function count() {
    const found = { failed: 0, overflow: 0 };
    for await (const rows of pages(storage, "dead/", PAGE)) {
      for (const row of await Promise.all(rows.map(letterOf))) found[row.reason]++;
    }
    return found;
  }
  const counted = () => counts ??= count();
  async function get(id: string): Promise<DeadRow | undefined> {
    const bytes = await readLarge(storage, key.dead(id));
    return bytes && decodeJson<DeadRow>(bytes);
  }
  return {
    list,
    get,
    has: async (id) => await storage.get(key.dead(id)) !== undefined,
    async rows(input) {
      const known = await counted();
      const row: DeadRow = { ...input, at: options.now() };
      return {
        rows: largeRows(key.dead(row.envelope.id), encodeJson(row), options.newBlobId),
        added: () => known[row.reason]++,
      };
    },
    countFailed: async () => (await counted()).failed,
    countOverflow: async () => (await counted()).overflow,
    async removal(id) {
      const head = await storage.get(key.dead(id));
      const row = head && await get(id);
      if (!row) {
        throw new FileError("not_found", "find", `/deadletter/${id}`, {
          detail: "no such dead letter; /deadletter/list names those that are kept",
        });
      }
      await counted();
      const batch = {
        check: [{ key: key.dead(id), value: head }],
        remove: [key.dead(id), ...blobKeys(head)],
        put: [],
      };
      return { row, batch };
    },
    gone(row) {
      void counts?.then((known) => known[row.reason]--);
    },
  };
}
