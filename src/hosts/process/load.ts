/** Loads an agent's module in a blank process. */
import { FileError, retold } from "../../fs/error.ts";
import type { AgentFacts } from "../module.ts";
import type { Locate } from "../source_map.ts";
import type { Message } from "./channel.ts";
import { agentFacts, loadFailure } from "./reports.ts";
import type { Subprocess } from "./subprocess.ts";
import { type WatchLimits, watchProcess } from "./watch.ts";
import { breach } from "./wire.ts";

export interface Loading {
  readonly process: Subprocess;
  readonly source: Uint8Array;
  readonly digest: string;
  readonly loadMs: number;
  readonly watched: WatchLimits;
  readonly locate: Locate;
}

/** The process stands still when this resolves, and is gone when it rejects. */
export function loadAgent(loading: Loading): Promise<AgentFacts> {
  const { process, source, digest, loadMs, watched, locate } = loading;
  const { promise, resolve, reject } = Promise.withResolvers<AgentFacts>();
  const watch = watchProcess(process, watched);
  const late = setTimeout(() => process.kill(tooSlow(digest, loadMs)), loadMs);

  function finish(): void {
    watch.stop();
    clearTimeout(late);
    process.listener = undefined;
  }

  function message(message: Message): void {
    const { head } = message;
    if (head.t === "pong") return watch.take(message);
    if (head.t === "failed") return process.kill(loadFailure(head, digest, locate));
    if (head.t !== "loaded") throw breach("a word before it is loaded");
    const facts = agentFacts(head);
    finish();
    process.pause();
    resolve(facts);
  }

  process.listener = {
    message,
    maxBodyBytes: () => 0,
    ended(fault) {
      finish();
      reject(retold(fault, "load", digest));
    },
  };
  process.send({ t: "load", digest }, source);
  return promise;
}

function tooSlow(digest: string, loadMs: number): FileError {
  const detail =
    `it did not load within ${loadMs} ms; does it wait for something at its top level?`;
  return new FileError("timeout", "load", digest, { detail });
}
