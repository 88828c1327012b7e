/** What a program did to its database's files, system call by system call, and what it said in between: read from the text of `strace`. */

/** Files are named as they are in the data directory. */
export type Op =
  | { readonly op: "create" | "remove" | "sync"; readonly file: string }
  | { readonly op: "write"; readonly file: string; readonly at: number; readonly bytes: Uint8Array }
  | { readonly op: "truncate"; readonly file: string; readonly size: number }
  | { readonly op: "sync_dir" }
  | { readonly op: "said"; readonly line: string };

/** Files of the database that a power cut can damage; the shared-memory file is made anew by whoever opens it first. */
const DATABASE = /^agentd\.db(-wal|-journal)?$/;
const STDOUT = "1";

/** The system calls that are recorded. */
export const CALLS = [
  "openat",
  "write",
  "pwrite64",
  "fsync",
  "fdatasync",
  "ftruncate",
  "unlink",
  "unlinkat",
  "rename",
  "renameat2",
];
/** Strings are never cut: no write is larger. */
export const MAX_STRING_BYTES = 4 * 1024 * 1024;

/** One call, whole, as it stands in the line of one thread. */
interface Call {
  readonly name: string;
  readonly args: string;
}

/**
 * @param text as `strace -f -y -xx` writes it
 * @throws Error for what it cannot read: a recording that is read wrong would prove nothing
 */
export function readRecording(text: string, dir: string): Op[] {
  const ops: Op[] = [];
  for (const call of calls(text)) {
    const op = opOf(call, dir);
    if (op) ops.push(op);
  }
  return ops;
}

/** In the order in which they took effect: a write, a word among them, when it is begun, everything else when it is done. */
function* calls(text: string): Generator<Call> {
  const open = new Map<string, string>();
  for (const line of text.split("\n")) {
    const [, thread, rest] = /^(\d+) +(.*)$/.exec(line) ?? [];
    if (thread === undefined || rest === undefined) continue;
    const begun = /^(\w+)\((.*) <unfinished \.\.\.>$/.exec(rest);
    if (begun) {
      const [, name = "", args = ""] = begun;
      if (isWrite(name)) yield { name, args };
      else open.set(thread, args);
      continue;
    }
    const ended = /^<\.\.\. (\w+) resumed>(.*)\) += (-?\d+)/.exec(rest);
    if (ended) {
      const [, name = "", more = "", result = ""] = ended;
      if (!isWrite(name) && !result.startsWith("-")) {
        yield { name, args: (open.get(thread) ?? "") + more };
      }
      open.delete(thread);
      continue;
    }
    const whole = /^(\w+)\((.*)\) += (-?\d+)/.exec(rest);
    if (whole && !whole[3]!.startsWith("-")) yield { name: whole[1]!, args: whole[2]! };
  }
}

function isWrite(name: string): boolean {
  return name === "write" || name === "pwrite64";
}

function opOf({ name, args }: Call, dir: string): Op | undefined {
  const file = /^(\d+)<([^>]*)>/.exec(args);
  const at = file === null ? undefined : within(text(file[2]!), dir);
  const strings = Array.from(args.matchAll(/"((?:\\x[0-9a-f]{2})*)"/g), ([, hex]) => hex!);
  switch (name) {
    case "write":
      if (file?.[1] === STDOUT) return { op: "said", line: text(strings[0]!).trim() };
      if (at) throw new Error(`a write to ${at} without a place`);
      return undefined;
    case "pwrite64": {
      if (!at) return undefined;
      const [, count, place] = /, (\d+), (\d+)$/.exec(args) ?? [];
      const data = bytes(strings[0] ?? "");
      if (place === undefined || data.length !== Number(count)) {
        throw new Error(`cannot read a write to ${at}: ${args.slice(-40)}`);
      }
      return { op: "write", file: at, at: Number(place), bytes: data };
    }
    case "fsync":
    case "fdatasync":
      if (at) return { op: "sync", file: at };
      return file && text(file[2]!) === dir ? { op: "sync_dir" } : undefined;
    case "ftruncate":
      return at ? { op: "truncate", file: at, size: Number(/, (\d+)$/.exec(args)![1]) } : undefined;
    case "openat": {
      if (/O_TRUNC/.test(args) && within(text(strings[0] ?? ""), dir)) {
        throw new Error("a file of the database is emptied as it is opened");
      }
      const made = /O_CREAT/.test(args) ? within(text(strings[0] ?? ""), dir) : undefined;
      return made ? { op: "create", file: made } : undefined;
    }
    case "unlink":
    case "unlinkat": {
      const gone = within(text(strings[0] ?? ""), dir);
      return gone ? { op: "remove", file: gone } : undefined;
    }
    default:
      for (const hex of strings) {
        if (within(text(hex), dir)) throw new Error(`${name} of a file of the database`);
      }
  }
}

/** The name of a file of the database; undefined for any other. */
function within(path: string, dir: string): string | undefined {
  const name = path.startsWith(`${dir}/`) ? path.slice(dir.length + 1) : "";
  return DATABASE.test(name) ? name : undefined;
}

function bytes(hex: string): Uint8Array {
  return Uint8Array.fromHex(hex.replaceAll("\\x", ""));
}

function text(hex: string): string {
  return hex.startsWith("\\x") ? new TextDecoder().decode(bytes(hex)) : hex;
}
