/** The life of one worker: what it is asked, what it answers, and that all who wait are told when it ends. */
import { FileError } from "../../fs/error.ts";
import type { Aborted, Answer, Begin, Fault, Question } from "./protocol.ts";

/** A worker that is busy with the host gets so long to discard what is unfinished. */
const END_MS = 2000;

export interface Session {
  /** Rejects with the worker's refusal, or with `io` when it ends before it has answered. */
  ask(question: Question, transfer?: Transferable[]): Promise<unknown>;
  abort(handle: number): void;
  /** It will not answer any more. */
  readonly over: boolean;
  /** Discards what is unfinished, and ends the worker. */
  end(): Promise<void>;
}

interface Waiting {
  readonly question: Question;
  resolve(value: unknown): void;
  reject(error: FileError): void;
}

/** `start` gives a worker that nobody else talks to. */
export function openSession(start: () => Worker, begin: Begin): Session {
  const waiting = new Map<number, Waiting>();
  let asked = 0;
  let over = false;

  const worker = started(start);
  worker.onmessage = ({ data }: MessageEvent<Answer>) => {
    const one = waiting.get(data.id);
    waiting.delete(data.id);
    if ("fault" in data) one?.reject(errorOf(data.fault));
    else one?.resolve(data.ok);
  };
  worker.onerror = (event) => {
    // Or it would end the whole program.
    event.preventDefault();
    die(event.message);
  };
  worker.onmessageerror = () => die("a message that cannot be read");

  function die(why: string): void {
    if (over) return;
    over = true;
    worker.terminate();
    const left = [...waiting.values()];
    waiting.clear();
    for (const { question, reject } of left) reject(lostIn(question, why));
  }

  function post(message: unknown, transfer: Transferable[]): void {
    worker.postMessage(message, transfer);
  }

  function ask(question: Question, transfer: Transferable[] = []): Promise<unknown> {
    if (over) return Promise.reject(lostIn(question, "it has ended before"));
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const id = ++asked;
    waiting.set(id, { question, resolve, reject });
    try {
      post({ id, question }, transfer);
    } catch (cause) {
      // Only what is no plain value cannot be sent.
      waiting.delete(id);
      const detail = "paths and options are plain values";
      reject(new FileError("invalid_request", question.op, pathOf(question), { detail, cause }));
    }
    return promise;
  }

  // Why nothing could be begun is what everybody is told who has asked since.
  ask(begin).catch((error) => {
    if (over) return;
    over = true;
    worker.terminate();
    for (const { reject } of waiting.values()) reject(error);
    waiting.clear();
  });

  return {
    ask,
    abort(handle) {
      if (!over) post({ aborted: handle } satisfies Aborted, []);
    },
    get over() {
      return over;
    },
    async end() {
      if (over) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, END_MS);
      await Promise.race([promise, ask({ op: "end" }).catch(() => {})]);
      clearTimeout(timer);
      die("the directory is no longer mounted");
    },
  };
}

function started(start: () => Worker): Worker {
  try {
    return start();
  } catch (cause) {
    // It was checked when it was mounted; this program was started with less than the one that did.
    throw new FileError("permission_denied", "open", "/", {
      detail: "the program may not use this directory any more; an operator may mount it again",
      cause,
    });
  }
}

function errorOf({ code, op, path, detail, extra }: Fault): FileError {
  return new FileError(code, op, path, {
    ...(detail === undefined ? {} : { detail }),
    ...(extra === undefined ? {} : { extra }),
  });
}

function lostIn(question: Question, why: string): FileError {
  return new FileError("io", question.op, pathOf(question), {
    detail: "the worker that serves this directory has ended; try again",
    cause: why,
  });
}

function pathOf(question: Question): string {
  return "path" in question ? question.path : "";
}
