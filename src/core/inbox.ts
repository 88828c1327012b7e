/** Takes envelopes in: numbers them, remembers their ids, keeps them durable, and says no before it is too full. */
import { FileError } from "../fs/error.ts";
import type { AgentStorage, Batch, Row } from "./storage.ts";
import type { Envelope } from "./envelope.ts";
import type { OverflowPolicy, Receipt } from "./view.ts";
import type { PeerRow, SeenRow, Tries } from "./record.ts";
import type { DeadLetters } from "./dead.ts";
import type { Disposition } from "./meter.ts";
import type { Trace } from "./trace.ts";
import { MAX_ENVELOPE_BYTES, senderOf } from "./envelope.ts";
import { decodeJson, encodeJson, encodeText, shortDigest } from "./code.ts";
import { blobKeys, largeRows, MAX_INLINE_BYTES, readLarge, wholeValue } from "./blob.ts";
import { key, numberOfKey } from "./keys.ts";
import { joinBatches } from "./txn.ts";
import { pages } from "./pages.ts";
import { makeQueue, type Queue, type Waiting } from "./queue.ts";

/** Envelope ids remembered per agent; older ones are forgotten some time later, those that still wait or are dead-lettered never. */
export const SEEN_KEPT = 100_000;
/** Every so many accepted envelopes the forgetting runs. */
const SEEN_SWEEP = 50_000;
/** Bodies of waiting envelopes held in memory, per agent. */
const MAX_HELD_BYTES = 4 * 1024 * 1024;

/** The number that a peer's message carries, and where the highest taken is kept. */
export interface PeerMark {
  readonly sender: string;
  readonly birth: string;
  readonly n: number;
}

interface Peer {
  n: number;
  bytes: Uint8Array | undefined;
}

export interface AcceptOptions {
  /** A repeat of an id is found by its `seen` row; a peer's message by its number instead. */
  readonly peer?: PeerMark;
  /** What else belongs into the same commit. */
  readonly along?: Batch;
  /** Not asked whether there is room. */
  readonly always?: boolean;
  /** The id was accepted before and comes back from the dead letters. */
  readonly again?: boolean;
}

export interface Inbox {
  readonly queue: Queue;
  readonly nextN: number;
  /** Durable when it resolves. Rejects with `inbox_full`, `conflict` (the id is taken by another payload), `too_large`. */
  accept(envelope: Envelope, options?: AcceptOptions): Promise<Receipt>;
  /** The whole envelope of a waiting entry. */
  load(entry: Waiting): Promise<Envelope>;
  /** Keys that go when the entry leaves. */
  rowsOf(entry: Waiting): Promise<string[]>;
  /** After the commit in which its rows went. */
  leave(entry: Waiting): void;
  seen(id: string): Promise<SeenRow | undefined>;
  policy: OverflowPolicy;
  readonly dropped: number;
}

export interface InboxOptions {
  readonly storage: AgentStorage;
  readonly now: () => number;
  readonly newBlobId: () => string;
  readonly trace: Trace;
  readonly dead: DeadLetters;
  readonly policy: OverflowPolicy;
  /** Numbers below are used. */
  readonly next: number;
  /** Called after the commit, in order of numbers. */
  readonly onAccepted: (entry: Waiting) => void;
  /** Called after the commit in which a policy let it go. */
  readonly onDropped: (entry: Waiting) => void;
  /** The entry that is in a tick now, which no policy may drop. */
  readonly inTick: () => Waiting | undefined;
  readonly onError: (error: unknown) => void;
  /** Told what became of an envelope at the gate. */
  readonly onEnvelope: (disposition: Disposition) => void;
  /** Nothing is accepted before it resolves. */
  readonly held: () => Promise<void> | undefined;
}

export async function openInbox(options: InboxOptions): Promise<Inbox> {
  const { storage, trace, dead } = options;
  const queue = makeQueue();
  const peers = new Map<string, Peer>();
  let next = options.next;
  let coming = 0;
  let heldBytes = 0;
  let dropped = 0;
  let dying: Promise<unknown> = Promise.resolve();
  let policy = options.policy;

  /** The end of a job stands behind the tick that began it: where that is tried again, it must not be heard before. */
  function lineOf({ source, metadata: { parent_id } }: Envelope): string {
    if (source.kind === "system" && source.reason === "job") {
      for (const entry of queue.all()) if (entry.id === parent_id) return entry.sender;
    }
    return senderOf(source);
  }
  function entryOf(n: number, envelope: Envelope, bytes: number): Waiting {
    const keep = heldBytes + bytes <= MAX_HELD_BYTES;
    if (keep) heldBytes += bytes;
    return {
      n,
      id: envelope.id,
      sender: lineOf(envelope),
      front: envelope.source.kind === "manual",
      bytes,
      at: envelope.timestamp,
      expires: envelope.metadata.expires_at,
      envelope: keep ? envelope : undefined,
      tries: undefined,
      gone: false,
    };
  }

  for await (const rows of pages(storage, "inbox/")) {
    for (const row of rows) {
      const n = numberOfKey(row.key);
      const bytes = await wholeValue(storage, row.value);
      if (!bytes) throw lost(n);
      queue.add(entryOf(n, decodeJson<Envelope>(bytes), bytes.length));
      next = Math.max(next, n + 1);
    }
  }
  for (const row of await storage.list({ prefix: "try/" })) {
    const entry = queue.get(numberOfKey(row.key));
    if (entry) entry.tries = decodeJson<Tries>(row.value);
  }
  for (const row of await storage.list({ prefix: "retry/" })) {
    const entry = queue.get(numberOfKey(row.key));
    if (entry) queue.hold(entry);
  }

  async function seen(id: string): Promise<SeenRow | undefined> {
    const row = await storage.get(key.seen(id));
    return row && decodeJson<SeenRow>(row);
  }
  /** The answer to an id that was accepted before. */
  async function repeated(envelope: Envelope, row: SeenRow): Promise<Receipt> {
    if (row.d !== payloadDigest(envelope)) {
      throw new FileError("conflict", "send", envelope.id, {
        detail: "this envelope id was used before with another payload; use a new id",
      });
    }
    return receipt(
      envelope,
      (await dead.get(envelope.id)) ? "dead_letter" : "queued",
      true,
    );
  }
  function receipt(
    envelope: Envelope,
    disposition: Receipt["disposition"],
    duplicate: boolean,
  ): Receipt {
    return { envelope_id: envelope.id, disposition, queue_depth: queue.size, duplicate };
  }
  function oldestDroppable(): Waiting | undefined {
    for (const entry of queue.all()) if (entry !== options.inTick()) return entry;
  }
  async function rowsOf(entry: Waiting): Promise<string[]> {
    const remove = [key.inbox(entry.n)];
    if (entry.bytes > MAX_INLINE_BYTES) {
      remove.push(...blobKeys(await storage.get(key.inbox(entry.n))));
    }
    if (entry.tries) remove.push(key.tries(entry.n));
    return remove;
  }

  /** What its tries had answered to them. */
  async function callRowsOf({ id }: Waiting): Promise<string[]> {
    const calls = await storage.list({ prefix: key.calls(id) });
    return calls.flatMap((row) => [row.key, ...blobKeys(row.value)]);
  }

  async function accept(envelope: Envelope, opts: AcceptOptions = {}): Promise<Receipt> {
    const bytes = encodeJson(envelope);
    if (bytes.length > MAX_ENVELOPE_BYTES) {
      throw new FileError("too_large", "send", envelope.id, {
        detail: `an envelope has at most ${MAX_ENVELOPE_BYTES} bytes, this one ${bytes.length}`,
        extra: { limit_bytes: MAX_ENVELOPE_BYTES, asked_bytes: bytes.length },
      });
    }
    const held = options.held();
    if (held) await held;
    // A message that was taken already takes no place, and nothing is dropped for it.
    const peer = opts.peer && await peerOf(opts.peer);
    if (opts.peer && opts.peer.n <= peer!.n) return receipt(envelope, "queued", true);
    let drop: Waiting | undefined;
    if (!opts.always && queue.size + coming >= policy.max_depth) {
      const known = opts.peer || opts.again ? undefined : await seen(envelope.id);
      if (known) return await repeated(envelope, known);
      if (policy.policy === "dead_letter" && !opts.again) return await acceptDead(envelope, opts);
      drop = policy.policy === "drop_oldest" ? oldestDroppable() : undefined;
      if (!drop) throw inboxFull();
    }
    // The place is taken before anything is waited for; the number afterwards, so that numbers and commits have one order.
    coming++;
    let n: number;
    try {
      if (drop) leave(drop);
      const dropRows = drop ? [...await rowsOf(drop), ...await callRowsOf(drop)] : [];
      n = next++;
      await storage.commit(batchOf(n, envelope, bytes, opts, peer, dropRows));
    } catch (error) {
      if (opts.peer) peers.delete(key.peer(opts.peer.sender, opts.peer.birth));
      if (drop) queue.putBack(drop);
      const known = opts.peer || opts.again ? undefined : await seen(envelope.id);
      if (known) return await repeated(envelope, known);
      throw error;
    } finally {
      coming--;
    }
    if (drop) {
      dropped++;
      options.onEnvelope("dropped");
      trace.add({
        type: "error",
        envelope_id: drop.id,
        code: "inbox_full",
        message: "dropped: the inbox was full and its policy is drop_oldest",
        dropped,
      });
      options.onDropped(drop);
    }
    const entry = entryOf(n, envelope, bytes.length);
    queue.add(entry);
    trace.add({
      type: "message_in",
      envelope_id: envelope.id,
      from: entry.sender,
      payload: preview(envelope.payload, bytes.length),
    });
    options.onAccepted(entry);
    if (n % SEEN_SWEEP === 0) sweepSeen().catch(options.onError);
    return receipt(envelope, "queued", false);
  }

  async function counted(envelope: Envelope, opts?: AcceptOptions): Promise<Receipt> {
    try {
      const receipt = await accept(envelope, opts);
      options.onEnvelope(receipt.duplicate ? "duplicate" : receipt.disposition);
      return receipt;
    } catch (error) {
      options.onEnvelope("refused");
      throw error;
    }
  }

  function batchOf(
    n: number,
    envelope: Envelope,
    bytes: Uint8Array,
    opts: AcceptOptions,
    peer: Peer | undefined,
    dropRows: readonly string[],
  ): Batch {
    const check = [...opts.along?.check ?? []];
    const put: Row[] = [...opts.along?.put ?? []];
    if (opts.peer && peer) {
      const peerKey = key.peer(opts.peer.sender, opts.peer.birth);
      check.push({ key: peerKey, value: peer.bytes });
      peer.n = opts.peer.n;
      peer.bytes = encodeJson({ n: peer.n } satisfies PeerRow);
      put.push({ key: peerKey, value: peer.bytes });
    } else {
      const seenKey = key.seen(envelope.id);
      if (!opts.again) check.push({ key: seenKey, value: undefined });
      put.push({ key: seenKey, value: encodeText(`{"n":${n},"d":"${payloadDigest(envelope)}"}`) });
    }
    put.push(...largeRows(key.inbox(n), bytes, options.newBlobId));
    return { check, remove: [...opts.along?.remove ?? [], ...dropRows], put };
  }
  function leave(entry: Waiting): void {
    if (entry.envelope) heldBytes -= entry.bytes;
    queue.remove(entry);
  }

  /** One after the other, so that the count by which one is let in still holds when it is in. */
  function acceptDead(envelope: Envelope, opts: AcceptOptions): Promise<Receipt> {
    const done = dying.then(() => putDead(envelope, opts));
    dying = done.catch(() => {});
    return done;
  }
  async function putDead(envelope: Envelope, opts: AcceptOptions): Promise<Receipt> {
    const known = await seen(envelope.id);
    if (known) return await repeated(envelope, known);
    if (opts.peer || await dead.countOverflow() >= policy.dead_letter_max) throw inboxFull();
    const n = next++;
    const seenKey = key.seen(envelope.id);
    const seenRow: SeenRow = { n, d: payloadDigest(envelope) };
    const letter = await dead.rows({ envelope, reason: "overflow", tries: 0, errors: [] });
    await storage.commit(joinBatches(opts.along ?? { check: [], remove: [], put: [] }, {
      check: [{ key: seenKey, value: undefined }],
      remove: [],
      put: [{ key: seenKey, value: encodeJson(seenRow) }, ...letter.rows],
    }));
    letter.added();
    return receipt(envelope, "dead_letter", false);
  }
  function inboxFull(): FileError {
    return new FileError("inbox_full", "send", "/inbox", {
      detail:
        `${queue.size} envelopes wait and max_depth is ${policy.max_depth}; send it again later, or change /inbox/overflow`,
      extra: { max_depth: policy.max_depth, queue_depth: queue.size },
    });
  }
  async function peerOf(mark: PeerMark) {
    const id = key.peer(mark.sender, mark.birth);
    let peer = peers.get(id);
    if (!peer) {
      const bytes = await storage.get(id);
      peer = peers.get(id) ?? { n: bytes ? decodeJson<PeerRow>(bytes).n : 0, bytes };
      peers.set(id, peer);
    }
    return peer;
  }
  /** Forgets ids that were accepted more than `SEEN_KEPT` envelopes ago, a page at a time. */
  async function sweepSeen(): Promise<void> {
    let lowest = Infinity;
    for (const entry of queue.all()) {
      lowest = entry.n;
      break;
    }
    const cut = Math.min(next - SEEN_KEPT, lowest);
    for await (const rows of pages(storage, "seen/")) {
      const remove: string[] = [];
      for (const row of rows) {
        if (decodeJson<SeenRow>(row.value).n >= cut) continue;
        if (!(await dead.has(row.key.slice("seen/".length)))) remove.push(row.key);
      }
      if (remove.length > 0) await storage.commit({ check: [], remove, put: [] });
    }
  }

  return {
    queue,
    accept: counted,
    rowsOf,
    leave,
    seen,
    get nextN() {
      return next;
    },
    get policy() {
      return policy;
    },
    set policy(value) {
      policy = value;
    },
    get dropped() {
      return dropped;
    },
    async load(entry) {
      if (entry.envelope) return entry.envelope;
      const bytes = await readLarge(storage, key.inbox(entry.n));
      if (!bytes) throw lost(entry.n);
      return decodeJson<Envelope>(bytes);
    },
  };
}

function lost(n: number): FileError {
  return new FileError("corrupt", "read", key.inbox(n), {
    detail: "the row of a waiting envelope is gone or incomplete",
  });
}

function payloadDigest(envelope: Envelope): string {
  return shortDigest(JSON.stringify(envelope.payload));
}

/** What the trace shows of a payload: whole if it is short. */
const PREVIEW_BYTES = 2048;
export function preview(payload: unknown, bytes: number): unknown {
  if (bytes <= PREVIEW_BYTES) return payload;
  return {
    kind: (payload as { kind: string }).kind,
    bytes,
    cut: JSON.stringify(payload).slice(0, 512),
  };
}
