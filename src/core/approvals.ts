/**
 * Questions to people as rows: asked in a commit of their own, so that they outlive the tick that failed for want of an answer; answered in one
 * commit with the envelope that tells the agent; and passed once.
 */
import { FileError, hasCode } from "../fs/error.ts";
import type { AgentStorage, Batch, Row } from "./storage.ts";
import type { Announcer } from "./announce.ts";
import { type Approval, APPROVAL_TTL_MS, type Approvals, MAX_APPROVALS } from "./approval.ts";
import type { Envelope } from "./envelope.ts";
import type { Inbox } from "./inbox.ts";
import type { RowChange } from "./view.ts";
import type { Trace } from "./trace.ts";
import { type EnvelopeId, isoTime, type Timestamp } from "./id.ts";
import { joinBatches } from "./txn.ts";
import { decodeJson, digest, encodeJson } from "./code.ts";
import { key } from "./keys.ts";

/** Characters of a request that a question shows; its digest is of all of it. */
const MAX_REQUEST_CHARS = 4_096;
const MAX_REASON_CHARS = 500;
/** How long a question can still be read after it has ended. */
const KEPT_MS = 7 * 86_400_000;
/** Ended questions that one new question takes away. */
const SWEEP = 16;
/** How often a question or an answer is tried again because another came in between. */
const MAX_RUNS = 100;

/** What is to be asked. */
export interface Question {
  readonly mount: string;
  readonly path: string;
  readonly op: string;
  /** As people should see it. */
  readonly request: string;
  /** Of everything that makes the request this one: see `questionDigest`. */
  readonly digest: string;
  readonly amountMicroUsd: number | null;
  readonly reason: string;
  readonly envelopeId: EnvelopeId | null;
}

export interface ApprovalBook extends Omit<Approvals, "decide"> {
  /** The question of that digest which waits for an answer, or has got a yes that nobody has used. */
  find(digest: string): Promise<Approval | undefined>;
  /**
   * Durable when it resolves; asked twice, it is one question. Rejects with `permission_denied` while a no to the same question stands,
   * `rate_limited` when `MAX_APPROVALS` wait.
   */
  ask(question: Question): Promise<Approval>;
  /** Rows that use a yes up, for the commit of what it allows; that commit fails with `conflict` if it has been used meanwhile. */
  use(approval: Approval): Batch;
  /** The same in a commit of its own, and remembered for the envelope's further tries. */
  pass(approval: Approval, envelopeId: EnvelopeId | null): Promise<void>;
  /** How often `pass` was called for such a request of that envelope, so that a try which repeats what it did is not asked again. */
  passed(digest: string, envelopeId: EnvelopeId): Promise<number>;
  /** `by`: who answers. As `Approvals.decide`. */
  decide(id: string, answer: "approve" | "deny", by: string): Promise<Approval>;
}

export interface ApprovalOptions {
  readonly storage: AgentStorage;
  readonly now: () => number;
  /** A UUIDv7. */
  readonly newId: () => string;
  readonly trace: Pick<Trace, "add">;
  readonly inbox: Pick<Inbox, "accept">;
  /** The agent's committed rows. */
  readonly changes: Pick<Announcer<RowChange>, "listen">;
  /** Takes secrets out of what people are shown. */
  readonly redact?: (text: string) => string;
  /** Called when an answer stands. */
  readonly onDecided?: (id: string) => Promise<void>;
}

/** Row `question/<digest>`: which question of that digest stands, and how. Row `question/<digest>/<envelope>`: how often it has passed there. */
interface Standing {
  readonly id: string;
  readonly state: Approval["state"];
  readonly expires_at: string;
  readonly passed?: number;
}

const ROWS = key.approval("");
const STANDING = key.question("");
const rowOf = (approval: Approval): Row => ({
  key: ROWS + approval.id,
  value: encodeJson(inOrder(approval)),
});
const passedKey = (digest: string, envelope: EnvelopeId) => `${STANDING}${digest}/${envelope}`;
const standingOf = ({ id, state, expires_at, request_digest }: Approval): Row => ({
  key: STANDING + request_digest,
  value: encodeJson({ id, state, expires_at } satisfies Standing),
});

/** One digest for one request: of the mount, the file, what is done to it, and the bytes or canonical text. */
export function questionDigest(
  mount: string,
  op: string,
  path: string,
  request: Uint8Array | string,
): string {
  return digest(JSON.stringify([mount, op, path, digest(request)]));
}

/** What a caller is told who has to wait for a yes. */
export function approvalRequired({ id, op, path, amount_micro_usd }: Approval): FileError {
  return new FileError("approval_required", op, path, {
    detail: `a person has to say yes first, with "agentd approve ${id}"; ` +
      "the same request passes once after that",
    extra: {
      approval_id: id,
      // Not `path`: an outer layer takes an inner path away.
      approval_path: `/approvals/${id}`,
      ...(amount_micro_usd === null ? {} : { amount_micro_usd }),
    },
  });
}

export function openApprovals(options: ApprovalOptions): ApprovalBook {
  const { storage, trace, inbox } = options;
  const redact = options.redact ?? ((text: string) => text);

  async function read(id: string): Promise<Approval | undefined> {
    const row = await storage.get(ROWS + id);
    return row && decodeJson<Approval>(row);
  }
  function told(approval: Approval): Approval {
    return stands(approval, options.now()) ? approval : { ...approval, state: "expired" };
  }
  async function standing(of: string): Promise<Approval | undefined> {
    const row = await storage.get(STANDING + of);
    const approval = row && await read(decodeJson<Standing>(row).id);
    return approval && told(approval);
  }

  /** One after the other, so that the count by which one is let in still holds when it is in. */
  let asking: Promise<unknown> = Promise.resolve();

  async function tryToAsk(question: Question): Promise<Approval | undefined> {
    const before = await storage.get(STANDING + question.digest);
    const known = await standing(question.digest);
    if (known?.state === "pending" || known?.state === "approved") return known;
    if (known?.state === "denied" && Date.parse(known.expires_at) > options.now()) {
      throw deniedBefore(known);
    }
    const over = await overdue(storage, options.now());
    if (over.pending >= MAX_APPROVALS) throw tooMany(question);
    const approval = newApproval(question);
    const committed = await unlessConflict(storage.commit({
      check: [...over.check, { key: STANDING + question.digest, value: before }],
      remove: over.remove,
      put: [rowOf(approval), standingOf(approval)],
    }));
    if (committed === false) return undefined;
    trace.add(traced(approval, "asked"));
    return approval;
  }
  function newApproval(question: Question): Approval {
    const nowMs = options.now();
    return {
      id: `apr_${options.newId()}`,
      state: "pending",
      mount: question.mount,
      path: question.path,
      op: question.op,
      amount_micro_usd: question.amountMicroUsd,
      reason: cut(redact(question.reason), MAX_REASON_CHARS),
      request: cut(redact(question.request), MAX_REQUEST_CHARS),
      request_digest: question.digest,
      envelope_id: question.envelopeId,
      created_at: isoTime(nowMs),
      expires_at: isoTime(nowMs + APPROVAL_TTL_MS),
      decided_at: null,
      decided_by: null,
    };
  }

  async function tryToDecide(
    id: string,
    answer: "approve" | "deny",
    by: string,
  ): Promise<Approval | undefined> {
    const asked = await read(id);
    if (!asked) {
      throw new FileError("not_found", answer, id, { detail: "there is no such question" });
    }
    mustWait(told(asked), answer);
    const nowMs = options.now();
    const decided: Approval = {
      ...asked,
      state: answer === "approve" ? "approved" : "denied",
      decided_at: isoTime(nowMs),
      decided_by: by,
      // An answer given at the last minute is of use for as long as one given at once.
      expires_at: isoTime(nowMs + APPROVAL_TTL_MS),
    };
    const receipt = await unlessConflict(inbox.accept(envelopeOf(decided, nowMs), {
      along: { check: [rowOf(asked)], remove: [], put: [rowOf(decided), standingOf(decided)] },
      always: true,
    }));
    // What came in between says by now what has become of the question.
    if (!receipt || receipt.duplicate) return undefined;
    trace.add({ ...traced(decided, decided.state), by });
    return decided;
  }

  function use(approval: Approval): Batch {
    const { request_digest, state, op, path } = approval;
    if (state !== "approved") {
      throw new FileError("conflict", op, path, { detail: `its question is ${state}` });
    }
    return {
      check: [rowOf(approval), standingOf(approval)],
      remove: [STANDING + request_digest],
      put: [rowOf({ ...approval, state: "used" })],
    };
  }
  async function remembered(
    { id, request_digest, expires_at }: Approval,
    envelopeId: EnvelopeId,
  ): Promise<Row & { readonly before: Uint8Array | undefined }> {
    const at = passedKey(request_digest, envelopeId);
    const before = await storage.get(at);
    const passed = (before ? decodeJson<Standing>(before).passed ?? 0 : 0) + 1;
    const row: Standing = { id, state: "used", expires_at, passed };
    return { key: at, value: encodeJson(row), before };
  }

  return {
    async find(of) {
      const known = await standing(of);
      return known?.state === "pending" || known?.state === "approved" ? known : undefined;
    },
    ask(question) {
      const asked = asking.then(() => again(() => tryToAsk(question)));
      asking = asked.catch(() => {});
      return asked;
    },
    use,
    async pass(approval, envelopeId) {
      const along = envelopeId === null ? [] : [await remembered(approval, envelopeId)];
      await storage.commit(joinBatches(use(approval), {
        check: along.map(({ key, before }) => ({ key, value: before })),
        remove: [],
        put: along,
      }));
      trace.add(traced(approval, "used"));
    },
    async passed(of, envelopeId) {
      const row = await storage.get(passedKey(of, envelopeId));
      return row ? decodeJson<Standing>(row).passed ?? 0 : 0;
    },
    async decide(id, answer, by) {
      const decided = await again(() => tryToDecide(id, answer, by));
      await options.onDecided?.(id);
      return decided;
    },
    async list({ after, limit }) {
      const rows = await storage.list({
        prefix: ROWS,
        limit,
        ...(after === undefined ? {} : { after: ROWS + after }),
      });
      return rows.map((row) => told(decodeJson<Approval>(row.value)));
    },
    async get(id) {
      const approval = await read(id);
      return approval && told(approval);
    },
    async *watch(signal) {
      for await (const { key, type } of options.changes.listen(signal)) {
        if (!key.startsWith(ROWS) || type === "deleted") continue;
        const approval = await read(key.slice(ROWS.length));
        if (approval) yield told(approval);
      }
    },
  };
}

/** Fields in one order, so that a row can be compared byte by byte whoever made the object. */
function inOrder(of: Approval): Approval {
  return {
    id: of.id,
    state: of.state,
    mount: of.mount,
    path: of.path,
    op: of.op,
    amount_micro_usd: of.amount_micro_usd,
    reason: of.reason,
    request: of.request,
    request_digest: of.request_digest,
    envelope_id: of.envelope_id,
    created_at: of.created_at,
    expires_at: of.expires_at,
    decided_at: of.decided_at,
    decided_by: of.decided_by,
  };
}

/** A question that has been used has ended as it should, whatever the clock says. */
function stands({ state, expires_at }: Pick<Approval, "state" | "expires_at">, nowMs: number) {
  return state === "used" || state === "denied" || Date.parse(expires_at) > nowMs;
}

function mustWait({ state, id, decided_by }: Approval, answer: string): void {
  if (state === "pending") return;
  if (state === "expired") {
    throw new FileError("not_ready", answer, id, {
      detail: "nobody answered in time; the agent asks again if it still wants to",
    });
  }
  throw new FileError("conflict", answer, id, {
    detail: `it was ${state === "denied" ? "denied" : "approved"} already, by ${decided_by}`,
  });
}

function envelopeOf({ id, state, path, mount }: Approval, nowMs: number): Envelope {
  return {
    id: `approval:${id}` as EnvelopeId,
    timestamp: nowMs as Timestamp,
    source: { kind: "system", reason: "approval" },
    payload: { kind: "json", data: { event: "approval", approval_id: id, state, path, mount } },
    metadata: {},
  };
}

function traced({ id, mount, path, op, amount_micro_usd, envelope_id }: Approval, action: string) {
  return {
    type: "approval",
    ...(envelope_id === null ? {} : { envelope_id }),
    action,
    approval_id: id,
    mount,
    path,
    op,
    ...(amount_micro_usd === null ? {} : { amount_micro_usd }),
  } as const;
}

/** How many questions wait, and rows that a new one may take away: what no longer stands, and what was told long enough. */
async function overdue(
  storage: Pick<AgentStorage, "list">,
  nowMs: number,
): Promise<{ pending: number; check: Row[]; remove: string[] }> {
  const check: Row[] = [];
  const remove: string[] = [];
  let pending = 0;
  for (const row of await storage.list({ prefix: STANDING })) {
    const { state, expires_at } = decodeJson<Standing>(row.value);
    if (Date.parse(expires_at) <= nowMs) {
      if (check.length >= SWEEP) continue;
      check.push(row);
      remove.push(row.key);
    } else if (state === "pending") pending++;
  }
  for (const row of await storage.list({ prefix: ROWS, limit: SWEEP })) {
    const { expires_at } = decodeJson<Approval>(row.value);
    if (Date.parse(expires_at) + KEPT_MS <= nowMs) remove.push(row.key);
  }
  return { pending, check, remove };
}

function deniedBefore({ op, path, id, decided_by, expires_at }: Approval): FileError {
  return new FileError("permission_denied", op, path, {
    detail: `${decided_by} has denied this; it can be asked again from ${expires_at} on`,
    extra: { approval_id: id },
  });
}

function tooMany({ op, path }: Question): FileError {
  return new FileError("rate_limited", op, path, {
    detail: `${MAX_APPROVALS} questions of this agent wait for an answer already; ` +
      'answer some: "agentd approvals" lists them',
    extra: { limit: MAX_APPROVALS },
  });
}

function cut(text: string, chars: number): string {
  return text.length <= chars ? text : `${text.slice(0, chars - 1)}…`;
}

/** False where another commit came first. */
async function unlessConflict<T>(done: Promise<T>): Promise<T | false> {
  try {
    return await done;
  } catch (error) {
    if (hasCode(error, "conflict")) return false;
    throw error;
  }
}

/** Once more when another commit came in between: what is there now says what to do. */
async function again<T>(run: () => Promise<T | undefined>): Promise<T> {
  for (let runs = 1; runs <= MAX_RUNS; runs++) {
    const done = await run();
    if (done !== undefined) return done;
  }
  throw new FileError("conflict", "change", "/approvals", {
    detail: "others changed it again and again; try again",
  });
}
