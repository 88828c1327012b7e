/** The words in which the laws of ticks are written: agents that are made, spoken to and looked at, each step followed until nothing moves. */
import type { Agent, AgentContext, Limits, Outcome, TickResult } from "../../src/core/agent.ts";
import type { Json } from "../../src/core/envelope.ts";
import { type AgentId, type EnvelopeId, isoTime } from "../../src/core/id.ts";
import type { AgentInfo, CreateRequest, Runtime, Waited } from "../../src/core/runtime.ts";
import type { Trigger } from "../../src/core/trigger.ts";
import type { AgentStatus, ControlWord, OverflowPolicy, Receipt } from "../../src/core/view.ts";
import type { FileService, StreamEvent } from "../../src/fs/file.ts";
import { call, callJson, entries, readJson, readText, writeText } from "../../src/fs/use.ts";
import type { Agents, End, TickSubject } from "./subject.ts";

/** Turns of the microtask queue after which an answer that needs no row does not come any more. */
const MAX_TURNS = 200_000;

/** What `run` answers, once nothing moves any more. Rejects when there is no answer then: it would never come. */
export async function answer<T>(
  subject: Pick<TickSubject, "settled">,
  run: () => Promise<T>,
): Promise<T> {
  let done = false;
  const mark = () => {
    done = true;
  };
  const promise = run();
  promise.then(mark, mark);
  await subject.settled();
  // A long file takes its turns without asking for a row.
  for (let turns = 0; !done && turns < MAX_TURNS; turns++) await Promise.resolve();
  await subject.settled();
  if (done) return await promise;
  promise.catch(() => {});
  throw new Error("no answer, though nothing is under way any more");
}

/** An agent of a law. */
export function agent(
  onTrigger: (ctx: AgentContext, trigger: Trigger) => Outcome | Promise<Outcome>,
  more: Partial<Agent> = {},
): Agent {
  return { name: "law", onTrigger, ...more };
}

/** What a trigger says: a message's text, an alarm's payload, an event's name. */
export function said(trigger: Trigger): string {
  if (trigger.type === "message") return trigger.text;
  if (trigger.type === "alarm") return `alarm ${JSON.stringify(trigger.payload)}`;
  return trigger.type === "event" ? `event ${trigger.event}` : trigger.type;
}

/** A door that is shut until it is opened; whoever comes later walks through. */
export interface Door {
  /** How many have come to it. */
  readonly callers: number;
  /** With a context, whoever comes from a runtime that was cut off in the meantime goes nowhere. */
  pass(ctx?: AgentContext): Promise<void>;
  open(): void;
}

export function door(): Door {
  let open = () => {};
  let callers = 0;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return {
    get callers() {
      return callers;
    },
    async pass(ctx) {
      callers++;
      await opened;
      await ctx?.kv.get("door");
    },
    open,
  };
}

export interface DeadSummary {
  readonly id: string;
  readonly sender: string;
  readonly reason: string;
  readonly tries: number;
  readonly last_error: { readonly code: string; readonly message: string } | null;
}

/** What a sender says of its envelope beside the payload. */
export interface Sending {
  readonly id?: string;
  readonly metadata?: { readonly [name: string]: Json };
}

/** One agent, as one caller reaches it. */
export interface Caller {
  send(payload: Json, options?: Sending): Promise<Receipt>;
  /** The receipt comes in its own time; nothing is followed to its end. */
  sending(payload: Json, options?: Sending): Promise<Receipt>;
  tick(): Promise<TickResult>;
  control(word: ControlWord): Promise<void>;
  /** Writes a word to `/deadletter/ctl`. */
  dead(word: string): Promise<void>;
  read(path: string): Promise<string>;
  json<T = Json>(path: string): Promise<T>;
  write(path: string, data: Json): Promise<void>;
  remove(path: string): Promise<void>;
  names(path: string): Promise<string[]>;
  call(path: string, request: string): Promise<string>;
  status(): Promise<AgentStatus>;
  state(): Promise<Json>;
  letters(): Promise<DeadSummary[]>;
  overflow(policy: Partial<OverflowPolicy>): Promise<void>;
  /** Kept events of a stream file behind `after`. */
  events(path: string, after?: number): Promise<StreamEvent[]>;
  wait(envelope: EnvelopeId): Promise<Waited>;
  /** The files themselves, as they are now; nothing is followed to its end. */
  files(): Promise<FileService>;
}

export interface Scene {
  /** The runtime of this moment. */
  readonly runtime: Runtime;
  /** Makes agents whose code is called as they are. */
  create(id: string, request?: Partial<CreateRequest>): Promise<AgentInfo>;
  delete(id: string): Promise<void>;
  /** An agent as the operator reaches it, or another caller of that name. */
  at(id: string, local?: string): Caller;
  info(id: string): Promise<AgentInfo>;
  restart(end: End, options?: Parameters<TickSubject["restart"]>[1]): Promise<void>;
  advance(ms: number): Promise<void>;
  quiet(): Promise<void>;
  /** Gives what needs no row, as events on their way to a watcher, the turns that it takes until `reached`. */
  until(reached: () => boolean): Promise<void>;
  /** What `run` answers, once nothing moves any more. */
  answer<T>(run: () => Promise<T>): Promise<T>;
}

/** Tries come one after the other, without a wait. */
export const AT_ONCE: Partial<Limits> = { retry_ms: [0, 0, 0] };
/** One try alone. */
export const ONCE: Partial<Limits> = { retry_ms: [] };

/** A runtime with these agents' code, and an agent of each, called as its code is. */
export async function scene(
  subject: TickSubject,
  agents: Agents,
  request: Partial<CreateRequest> = {},
): Promise<Scene> {
  const made = await stage(subject, agents);
  for (const id of Object.keys(agents)) await made.create(id, request);
  return made;
}

/** A runtime with these agents' code, and no agent yet. */
export async function stage(subject: TickSubject, agents: Agents): Promise<Scene> {
  let runtime = await subject.start(agents);
  const followed = <T>(run: () => Promise<T>) => answer(subject, run);
  return {
    get runtime() {
      return runtime;
    },
    create: async (id, request = {}) =>
      (await followed(() => runtime.create({ id: id as AgentId, agent: id, ...request }))).info,
    delete: (id) => followed(() => runtime.delete(id as AgentId)),
    at: (id, local) => caller(subject, () => runtime, id as AgentId, local),
    info: (id) => followed(() => runtime.info(id as AgentId)),
    async restart(end, options) {
      runtime = await subject.restart(end, options);
    },
    advance: (ms) => subject.clock.advance(ms),
    quiet: () => subject.settled(),
    async until(reached) {
      await subject.settled();
      for (let turns = 0; !reached() && turns < MAX_TURNS; turns++) await Promise.resolve();
    },
    answer: followed,
  };
}

function caller(
  subject: TickSubject,
  runtime: () => Runtime,
  id: AgentId,
  local: string | undefined,
): Caller {
  const principal = local === undefined
    ? { viewer: "operator" as const, name: "operator" }
    : { viewer: "local" as const, name: local };
  const files = () => runtime().files(id, principal);
  const followed = <T>(run: (files: FileService) => Promise<T>) =>
    answer(subject, async () => await run(await files()));
  const sending = async (payload: Json, { id, metadata }: Sending = {}) => {
    const envelope = { payload, ...(id ? { id } : {}), ...(metadata ? { metadata } : {}) };
    return await callJson<Receipt>(await files(), "/inbox", envelope);
  };
  const word = async (path: string, word: string) => {
    await followed((files) => call(files, path, word));
  };
  return {
    sending,
    send: (payload, options) => answer(subject, () => sending(payload, options)),
    tick: async () => JSON.parse(await followed((files) => textOf(call(files, "/ctl", "tick")))),
    control: (control) => word("/ctl", control),
    dead: (text) => word("/deadletter/ctl", text),
    read: (path) => followed((files) => readText(files, path)),
    json: <T>(path: string) => followed((files) => readJson<T>(files, path)),
    write: (path, data) =>
      followed((files) =>
        writeText(files, path, typeof data === "string" ? data : JSON.stringify(data))
      ),
    remove: (path) => followed((files) => files.remove(path)),
    names: (path) =>
      followed(async (files) => (await Array.fromAsync(entries(files, path))).map((e) => e.name)),
    call: (path, request) => followed((files) => textOf(call(files, path, request))),
    status: () => followed((files) => readJson<AgentStatus>(files, "/status")),
    state: () => followed((files) => readJson<Json>(files, "/state")),
    letters: () => followed((files) => readJson<DeadSummary[]>(files, "/deadletter/list")),
    overflow: (policy) =>
      followed((files) => writeText(files, "/inbox/overflow", JSON.stringify(policy))),
    events: (path, after) =>
      followed(async (files) =>
        linesOf(await readText(files, path, after === undefined ? {} : { after }))
      ),
    wait: (envelope) =>
      answer(subject, async () => {
        const waited = await runtime().wait(id, envelope, new AbortController().signal);
        if (!waited) throw new Error(`nobody waits for ${envelope} any more`);
        return waited;
      }),
    files,
  };
}

async function textOf(bytes: Promise<Uint8Array>): Promise<string> {
  return new TextDecoder().decode(await bytes);
}

/** The events of a stream file that was read. */
export function linesOf(text: string): StreamEvent[] {
  return text.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
}

/** Every committed row: owner and key → value. */
export async function allRows(subject: TickSubject): Promise<Map<string, Uint8Array>> {
  const rows = new Map<string, Uint8Array>();
  for (const owner of await subject.backend.owners({ limit: 10_000 })) {
    for (const { key, value } of await subject.backend.storage(owner).list({ prefix: "" })) {
      rows.set(`${owner} ${key}`, value);
    }
  }
  return rows;
}

/** The clock of the subject, as files tell times. */
export function timeOf(subject: TickSubject, laterMs = 0): string {
  return isoTime(subject.clock.now() + laterMs);
}
