/**
 * A service at which everything that acts waits for a person's yes: `approving(service, { mount, book, access, tick })`. Looking is free; a write,
 * append, call or removal is gathered whole, and passed on once there is a yes for exactly this request. Else it is asked for, and refused.
 */
import { hasCode } from "../fs/error.ts";
import type { FileHandle, FileService, Mode, OpenOptions } from "../fs/file.ts";
import { openRow } from "../fs/handle.ts";
import type { FileRow } from "../fs/row.ts";
import { type ApprovalBook, approvalRequired, questionDigest } from "./approvals.ts";
import type { Approval } from "./approval.ts";
import type { EnvelopeId } from "./id.ts";
import type { Access } from "./view.ts";
import { digest } from "./code.ts";

/** Bytes of a request that waits for a yes: it is held whole, and a person should be able to look at it. */
export const MAX_ASKED_BYTES = 1024 * 1024;

/** One try of an envelope; another try is another object. */
export interface Attempt {
  readonly frame: { readonly envelopeId: EnvelopeId };
  readonly asked: Approval[];
}

export interface Approving {
  /** `/identity` */
  readonly mount: string;
  readonly book: Pick<ApprovalBook, "find" | "ask" | "pass" | "passed">;
  /** At any other access the service is passed through as it is. */
  readonly access: () => Access;
  /** The try that runs now: `() => live.effects`. */
  readonly tick: () => Attempt | undefined;
}

/** What is done besides the bytes: they make a request another one too. */
type Extras = Pick<OpenOptions, "offset" | "match" | "type">;

export function approving(service: FileService, options: Approving): FileService {
  const { mount, book, access, tick } = options;
  const counted = new WeakMap<Attempt, Map<string, number>>();

  /** How often such a request came before in this try. Counted before anything is waited for, so that two at once are two. */
  function count(attempt: Attempt | undefined, of: string, by: number): number {
    if (!attempt) return 0;
    const counts = counted.get(attempt) ?? new Map<string, number>();
    counted.set(attempt, counts);
    const before = counts.get(of) ?? 0;
    counts.set(of, before + by);
    return before;
  }

  async function ask(op: string, inner: string, data: Uint8Array, extras: Extras): Promise<void> {
    const path = inner === "/" ? mount : mount + inner;
    const { offset, match, type } = extras;
    const extra = JSON.stringify([offset ?? null, match ?? null, type ?? null, digest(data)]);
    const of = questionDigest(mount, op, path, extra);
    const attempt = tick();
    const nth = count(attempt, of, 1);
    try {
      const envelopeId = attempt?.frame.envelopeId ?? null;
      if (envelopeId !== null && nth < await book.passed(of, envelopeId)) return;
      if (await passes(of, envelopeId)) return;
      const question = await book.ask({
        mount,
        path,
        op,
        request: shown(data, extras),
        digest: of,
        amountMicroUsd: null,
        reason: `${op} ${path}: whatever is done at ${mount} needs a yes`,
        envelopeId,
      });
      attempt?.asked.push(question);
      throw approvalRequired(question);
    } catch (error) {
      count(attempt, of, -1);
      throw error;
    }
  }
  async function passes(of: string, envelopeId: EnvelopeId | null): Promise<boolean> {
    const found = await book.find(of);
    if (found?.state !== "approved") return false;
    try {
      // Before it is passed on: what a crash leaves open has been used.
      await book.pass(found, envelopeId);
      return true;
    } catch (error) {
      if (hasCode(error, "conflict")) return false;
      throw error;
    }
  }

  async function open(path: string, mode: Mode, given: OpenOptions): Promise<FileHandle> {
    await refuseEarly(service, path, mode, given);
    const act = async (data: Uint8Array, extras: Extras & { readonly signal: AbortSignal }) => {
      await ask(mode, path, data, extras);
      return await passedOn(await service.open(path, mode, extras), data);
    };
    const row: FileRow = {
      maxBytes: MAX_ASKED_BYTES,
      parts: true,
      write: async (data, o) => await (await act(data, o)).close(),
      append: async (data, o) => await (await act(data, o)).close(),
      call: async (data, o) => answerOf(await act(data, o)),
    };
    return await openRow(row, mode, path, given);
  }

  const isFree = (mode: Mode) => mode === "read" || mode === "watch" || access() !== "approve";
  return {
    open: (path, mode, given = {}) =>
      isFree(mode) ? service.open(path, mode, given) : open(path, mode, given),
    stat: (path) => service.stat(path),
    list: (path, page) => service.list(path, page),
    async remove(path, given = {}) {
      if (access() === "approve") {
        await service.stat(path);
        await ask("remove", path, new Uint8Array(), given);
      }
      await service.remove(path, given);
    },
  };
}

/** Nobody is asked about what would be refused anyway: it is opened and let go, which changes nothing. */
async function refuseEarly(
  service: FileService,
  path: string,
  mode: Mode,
  options: OpenOptions,
): Promise<void> {
  const trial = new AbortController();
  const handle = await service.open(path, mode, { ...options, signal: trial.signal });
  trial.abort();
  await handle.close().catch(() => {});
}

async function passedOn(handle: FileHandle, data: Uint8Array): Promise<FileHandle> {
  try {
    await handle.write(data);
    return handle;
  } catch (error) {
    await handle.close().catch(() => {});
    throw error;
  }
}

async function* answerOf(handle: FileHandle): AsyncGenerator<Uint8Array> {
  try {
    while (true) {
      const chunk = await handle.read();
      if (chunk === undefined) return;
      yield chunk;
    }
  } finally {
    await handle.close();
  }
}

const strict = new TextDecoder("utf-8", { fatal: true });

/** The request as a person reads it. */
function shown(data: Uint8Array, { offset, match }: Extras): string {
  const about = [
    ...(offset === undefined ? [] : [`from byte ${offset} on`]),
    ...(match === undefined ? [] : [`if it is at version ${match}`]),
  ];
  return [...about.map((line) => `(${line})`), textOf(data)].join("\n");
}

function textOf(data: Uint8Array): string {
  try {
    return strict.decode(data);
  } catch {
    return `(${data.length} bytes that are no text, SHA-256 ${digest(data)})`;
  }
}
