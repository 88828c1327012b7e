/** The port of a hook as an agent's process has it: every call goes over the pipe, in the order of the calls. */
import { FileError } from "../../fs/error.ts";
import type { TickPort } from "../../core/host.ts";
import type { Channel, Message } from "./channel.ts";
import { type Answer, type Ask, remoteFiles } from "./remote_files.ts";
import { errorOf, jsonBytes, jsonValue, MAX_CALL_BYTES, MAX_CALLS } from "./values.ts";
import { breach } from "./wire.ts";

export interface RemotePort {
  readonly port: TickPort;
  /** Takes an `answer` of this hook. @throws breach */
  take(message: Message): void;
}

interface Waiting {
  readonly bytes: number;
  start(): void;
}

interface Pending {
  readonly bytes: number;
  settle(message: Message): void;
}

/** @param signal what the hook sees as `ctx.signal` */
export function remotePort(
  channel: Channel,
  run: number,
  remainingMicroUsd: number,
  signal: AbortSignal,
): RemotePort {
  const waiting: Waiting[] = [];
  const pending = new Map<number, Pending>();
  let lastId = 0;
  let pendingBytes = 0;

  const ask: Ask = (op, args, body, begun) => {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const bytes = body?.length ?? 0;
    const settle = ({ head, body }: Message) => {
      if (head.error !== undefined) reject(errorOf(head.error));
      else if (head.as === "json") resolve(jsonValue(body));
      else resolve(head.as === "bytes" ? body : undefined);
    };
    const start = () => {
      const id = ++lastId;
      try {
        channel.send({ t: "call", run, id, op, args: args as never }, body);
      } catch {
        return reject(refused(op, "its arguments are too long, or no JSON"));
      }
      pendingBytes += bytes;
      pending.set(id, { bytes, settle });
      begun?.(id);
    };
    if (bytes > MAX_CALL_BYTES) reject(refused(op, `${bytes} bytes; at most ${MAX_CALL_BYTES}`));
    else waiting.push({ bytes, start });
    startWaiting();
    return promise;
  };

  function startWaiting(): void {
    for (let next = waiting[0]; next; next = waiting[0]) {
      if (pending.size >= MAX_CALLS || pendingBytes + next.bytes > MAX_CALL_BYTES) return;
      waiting.shift();
      next.start();
    }
  }

  return {
    take(message) {
      const id = Number(message.head.id);
      const call = pending.get(id);
      if (!call) throw breach("an answer to nothing");
      pending.delete(id);
      pendingBytes -= call.bytes;
      if (typeof message.head.usd === "number") remainingMicroUsd = message.head.usd;
      call.settle(message);
      startWaiting();
    },
    port: {
      ...portCalls(ask),
      files: remoteFiles(ask, (id) => channel.send({ t: "cancel", run, id })),
      signal,
      log: (level, text) => channel.send({ t: "log", run, level, text }),
      get remainingMicroUsd() {
        return remainingMicroUsd;
      },
    },
  };
}

function portCalls(ask: Ask): Omit<TickPort, "files" | "signal" | "log" | "remainingMicroUsd"> {
  const answer = <T>(promise: Promise<Answer>) => promise as Promise<T>;
  return {
    seen: (id) => answer(ask("seen", { id })),
    markSeen: (id) => answer(ask("markSeen", { id })),
    send: (agent, payload) => answer(ask("send", { agent }, jsonBytes(payload))),
    reply: (payload, to) => answer(ask("reply", { to }, jsonBytes(payload))),
    broadcast: (event, data) => answer(ask("broadcast", { event }, jsonBytes(data))),
    alarm: (due, payload) => answer(ask("alarm", { due }, jsonBytes(payload))),
    cron: (expression, payload) => answer(ask("cron", { expression }, jsonBytes(payload))),
    cancelAlarm: (id) => answer(ask("cancelAlarm", { id })),
    kvGet: (name) => answer(ask("kvGet", { name })),
    kvSet: (name, value) => answer(ask("kvSet", { name }, jsonBytes(value))),
    kvDelete: (name) => answer(ask("kvDelete", { name })),
    kvList: (prefix) => answer(ask("kvList", { prefix })),
  };
}

function refused(op: string, detail: string): FileError {
  return new FileError("invalid_request", op, "ctx", { detail });
}
