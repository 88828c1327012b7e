/**
 * The runtime's end of a hook's calls: what an agent's process asks for, done on the port of its tick. Arguments are what a hostile process may send; what
 * has the wrong form is refused, and what breaks the protocol is a breach.
 */
import { FileError } from "../../fs/error.ts";
import type { FileHandle, Mode, OpenOptions } from "../../fs/file.ts";
import type { Json } from "../../core/envelope.ts";
import type { TickPort } from "../../core/host.ts";
import { cut, MAX_LOG_CHARS } from "../log.ts";
import { mustBePlain } from "../plain.ts";
import type { Locate } from "../source_map.ts";
import { relocated } from "../stack.ts";
import type { Message } from "./channel.ts";
import { naturalNumber } from "./channel.ts";
import {
  errorJson,
  jsonBytes,
  MAX_CALL_BYTES,
  MAX_CALLS,
  MAX_HANDLES,
  MAX_IDLE_MESSAGES,
  MAX_LOGS,
  MAX_TEXT_CHARS,
  strangeJson,
} from "./values.ts";
import { breach, type Head, isBreach } from "./wire.ts";

export interface ServedPort {
  /** Takes a `call`, `cancel` or `log` of this hook. @throws breach */
  take(message: Message): void;
  /** Cancels what is under way and discards what is open; nothing is answered any more. */
  end(): void;
}

interface Held {
  readonly abort: AbortController;
  handle?: FileHandle;
}

interface Call {
  readonly id: number;
  readonly op: string;
  readonly args: Readonly<Record<string, unknown>>;
  readonly body: Uint8Array | undefined;
}

/** JSON in `json`, bytes in `bytes`, neither for nothing. */
interface Answer {
  readonly json?: unknown;
  readonly bytes?: Uint8Array;
}

const MAX_OPTIONS = 20;

type Perform = (call: Call) => Promise<Answer>;

export function servedPort(
  port: TickPort,
  run: number,
  answer: (head: Head, body?: Uint8Array) => void,
  locate: Locate = () => undefined,
): ServedPort {
  const held = new Map<number, Held>();
  let lastId = 0;
  let calls = 0;
  let callBytes = 0;
  let logs = 0;
  let idle = 0;
  let toldUsd = port.remainingMicroUsd;
  let ended = false;

  const performs: Readonly<Record<string, Perform>> = {
    ...fileCalls(port, held),
    ...messageCalls(port),
    ...kvCalls(port),
  };

  function takeCall({ head, body }: Message): void {
    const id = naturalNumber(head.id, "id");
    if (id <= lastId) throw breach(`call ${id} after call ${lastId}`);
    lastId = id;
    calls++;
    callBytes += body?.length ?? 0;
    if (calls > MAX_CALLS) throw breach(`more than ${MAX_CALLS} calls at once`);
    if (callBytes > MAX_CALL_BYTES) throw breach(`more than ${MAX_CALL_BYTES} bytes at once`);
    const { op, args } = head;
    if (typeof op !== "string" || !Object.hasOwn(performs, op)) throw breach("an unknown call");
    if (typeof args !== "object" || args === null) throw breach("a call without arguments");
    perform(performs[op]!, { id, op, args: args as Call["args"], body }).finally(() => {
      calls--;
      callBytes -= body?.length ?? 0;
    });
  }

  async function perform(run: Perform, call: Call): Promise<void> {
    try {
      const { json, bytes } = await run(call);
      if (bytes) tell(call.id, { as: "bytes" }, bytes);
      else if (json !== undefined) tell(call.id, { as: "json" }, jsonBytes(json));
      else tell(call.id, {});
    } catch (error) {
      tell(call.id, { error: errorJson(error) });
    }
  }

  function tell(id: number, what: { as?: string; error?: Json }, body?: Uint8Array): void {
    if (ended) return;
    const usd = port.remainingMicroUsd;
    const money = usd === toldUsd ? {} : { usd };
    toldUsd = usd;
    answer({ t: "answer", run, id, ...what, ...money }, body);
  }

  function takeLog({ head }: Message): void {
    const { level, text } = head;
    if (typeof text !== "string") throw breach("a log entry without text");
    if (level !== "debug" && level !== "info" && level !== "warn" && level !== "error") {
      throw breach("a log entry without a level");
    }
    if (++logs <= MAX_LOGS) {
      return port.log(level, relocated(cut(text, MAX_LOG_CHARS), locate));
    }
    if (logs > MAX_LOGS + 1) return countIdle();
    port.log("warn", `this hook logged ${MAX_LOGS} entries; what it logs from here on is dropped`);
  }

  function takeCancel(id: number): void {
    const entry = held.get(id);
    // It may have come to its end while the word was on its way.
    if (!entry || entry.abort.signal.aborted) return countIdle();
    entry.abort.abort();
  }

  function countIdle(): void {
    if (++idle > MAX_IDLE_MESSAGES) throw breach("a flood of messages that come to nothing");
  }

  return {
    take(message) {
      if (ended) return;
      if (message.head.t === "call") return takeCall(message);
      if (message.head.t === "log") return takeLog(message);
      if (message.head.t !== "cancel") throw breach("an unknown message");
      takeCancel(naturalNumber(message.head.id, "id"));
    },
    end() {
      ended = true;
      for (const { abort } of held.values()) abort.abort();
      for (const { handle } of held.values()) handle?.close().catch(() => {});
      held.clear();
    },
  };
}

/** A handle is known by the number of the call that opened it; cancelling that call ends the handle too. */
function fileCalls(port: TickPort, held: Map<number, Held>): Record<string, Perform> {
  const { files } = port;

  function handleOf(call: Call): FileHandle {
    const handle = held.get(number(call, "handle"))?.handle;
    if (handle) return handle;
    throw refused(call, "invalid_request", "the handle is closed");
  }

  return {
    async open(call) {
      if (held.size >= MAX_HANDLES) {
        throw refused(call, "quota_exceeded", `at most ${MAX_HANDLES} files are open at once`);
      }
      const entry: Held = { abort: new AbortController() };
      held.set(call.id, entry);
      try {
        const given: OpenOptions = { ...options(call), signal: entry.abort.signal };
        // A mode that there is not is refused by the file service itself.
        entry.handle = await files.open(text(call, "path"), text(call, "mode") as Mode, given);
      } catch (error) {
        held.delete(call.id);
        throw error;
      }
      return {};
    },
    async read(call) {
      const bytes = await handleOf(call).read();
      return bytes ? { bytes } : {};
    },
    write: async (call) => (await handleOf(call).write(call.body ?? new Uint8Array()), {}),
    async close(call) {
      try {
        await handleOf(call).close();
      } finally {
        held.delete(number(call, "handle"));
      }
      return {};
    },
    stat: async (call) => ({ json: await files.stat(text(call, "path")) }),
    list: async (call) => ({ json: await files.list(text(call, "path"), options(call)) }),
    remove: async (call) => (await files.remove(text(call, "path"), options(call)), {}),
  };
}

function messageCalls(port: TickPort): Record<string, Perform> {
  return {
    seen: async (call) => ({ json: await port.seen(text(call, "id")) }),
    markSeen: async (call) => (await port.markSeen(text(call, "id")), {}),
    send: async (call) => ({ json: await port.send(text(call, "agent"), payload(call)) }),
    async reply(call) {
      const to = call.args.to === undefined ? undefined : text(call, "to");
      await port.reply(payload(call), to);
      return {};
    },
    broadcast: async (call) => (await port.broadcast(text(call, "event"), payload(call)), {}),
    alarm: async (call) => ({ json: await port.alarm(number(call, "due"), payload(call)) }),
    cron: async (call) => ({ json: await port.cron(text(call, "expression"), payload(call)) }),
    cancelAlarm: async (call) => ({ json: await port.cancelAlarm(text(call, "id")) }),
  };
}

function kvCalls(port: TickPort): Record<string, Perform> {
  return {
    kvGet: async (call) => ({ json: await port.kvGet(text(call, "name")) }),
    kvSet: async (call) => (await port.kvSet(text(call, "name"), payload(call)), {}),
    kvDelete: async (call) => (await port.kvDelete(text(call, "name")), {}),
    kvList: async (call) => ({ json: await port.kvList(text(call, "prefix")) }),
  };
}

/** JSON, and no deeper than what the rest of the runtime takes apart. */
function payload(call: Call): Json {
  try {
    return mustBePlain(strangeJson(call.body), call.op);
  } catch (error) {
    throw isBreach(error) ? refused(call, "invalid_request", error.message) : error;
  }
}

function text(call: Call, name: string): string {
  const value = call.args[name];
  if (typeof value === "string" && value.length <= MAX_TEXT_CHARS) return value;
  const detail = `${name} is a string of at most ${MAX_TEXT_CHARS} characters`;
  throw refused(call, "invalid_request", detail);
}

function number(call: Call, name: string): number {
  const value = call.args[name];
  if (typeof value === "number" && Number.isSafeInteger(value)) return value;
  throw refused(call, "invalid_request", `${name} is an integer`);
}

/** Which options there are is the file service's affair; here they are words and numbers, and few. */
function options(call: Call): Record<string, string | number | boolean> {
  const given = call.args.options ?? {};
  const entries = typeof given === "object" ? Object.entries(given) : [];
  const fine = entries.every(([, value]) =>
    typeof value === "number" || typeof value === "boolean" ||
    (typeof value === "string" && value.length <= MAX_TEXT_CHARS)
  );
  if (fine && entries.length <= MAX_OPTIONS) return Object.fromEntries(entries);
  throw refused(call, "invalid_request", "options are strings, numbers and booleans");
}

function refused(call: Call, code: "invalid_request" | "quota_exceeded", detail: string) {
  return new FileError(code, call.op, "ctx", { detail });
}
