/** What agent code finds in its process in place of what would break the pipe or is of no use without permissions. */
import process from "node:process";
import { logText } from "../log.ts";

export type Log = (level: "debug" | "info" | "warn" | "error", text: string) => void;

const LEVELS = {
  trace: "debug",
  debug: "debug",
  log: "info",
  info: "info",
  dir: "info",
  table: "info",
  warn: "warn",
  error: "error",
} as const;

/** Threads, stores that outlive the process, dialogs on the terminal, and the inside of Deno. */
const HIDDEN = [
  "Worker",
  "BroadcastChannel",
  "caches",
  "CacheStorage",
  "Cache",
  "localStorage",
  "sessionStorage",
  "alert",
  "confirm",
  "prompt",
];

/**
 * None of this is a wall: hostile code finds ways around it, and meets the walls. It makes honest code work: what it prints is logged.
 * @param log called with what is printed
 * @param onExit called when the agent ends its process after all
 */
export function disguise(log: Log, onExit: (code: number) => void): void {
  for (const name of HIDDEN) Reflect.deleteProperty(globalThis, name);
  const inside = (Deno as unknown as { internal: symbol }).internal;
  Reflect.deleteProperty(Deno, inside);
  for (const [name, level] of Object.entries(LEVELS)) {
    Reflect.set(console, name, (...parts: unknown[]) => log(level, logText(parts)));
  }
  replace(process, "stdout", printer("info", log));
  replace(process, "stderr", printer("error", log));
  replace(process, "exit", noExit);
  replace(Deno, "exit", noExit);
  replace(globalThis, "close", noExit);
  process.on("exit", onExit);
}

function printer(level: "info" | "error", log: Log) {
  const write = (data: unknown) => {
    const text = ArrayBuffer.isView(data) ? new TextDecoder().decode(data) : String(data);
    log(level, text.replace(/\n$/, ""));
    return true;
  };
  return { write, end: write, on() {}, once() {}, emit() {}, isTTY: false, columns: 80 };
}

function noExit(): never {
  throw new Error("an agent does not end its process; return { should_hibernate: true } instead");
}

function replace(target: object, name: string, value: unknown): void {
  Object.defineProperty(target, name, { value, configurable: true, writable: true });
}
