/** The verbs on files: ls, cat, write, call, watch, rm. */
import { FileError, hasCode } from "../fs/error.ts";
import type { Entry, FileService, OpenOptions } from "../fs/file.ts";
import {
  appendBytes,
  call as callFile,
  entries,
  readBytes,
  readChunks,
  watch as watchFile,
  writeBytes,
} from "../fs/use.ts";
import {
  type Action,
  answer,
  arg,
  type Call,
  maybeArg,
  option,
  printJson,
  restArg,
  withProgress,
} from "./call.ts";
import { ago, inline, safe, safeLine, size, table } from "./print.ts";
import { inAgent, type Target, targetOf } from "./target.ts";

const encoder = new TextEncoder();
/** Larger JSON is printed as it is. */
const MAX_PRETTY_BYTES = 1024 * 1024;

/** A verb on one file. */
function onFile(
  work: (call: Call, target: Target, files: FileService) => Promise<void>,
): Action {
  return (call) => {
    const target = targetOf(arg(call, "path"));
    return inAgent(target.id, () => work(call, target, call.server().files(target.id)));
  };
}

/** Lists a directory; without a path, the agents. */
export const ls: Action = async (call) => {
  const path = maybeArg(call, "path");
  if (path === undefined || path === "/" || /^\/agents\/?$/.test(path)) return await lsAgents(call);
  const target = targetOf(path);
  const files = call.server().files(target.id);
  const listing = inAgent(target.id, () => listed(files, target));
  const found = await withProgress(call, `listing ${target.shown}`, listing);
  answer(call, found, () => entryLines(call, found));
};

async function lsAgents(call: Call): Promise<void> {
  const found: Entry[] = [];
  for await (const info of call.server().all({})) found.push({ name: info.id, dir: true });
  answer(call, found, () => entryLines(call, found));
}

async function listed(files: FileService, target: Target): Promise<Entry[]> {
  try {
    return await Array.fromAsync(entries(files, target.path));
  } catch (error) {
    if (!hasCode(error, "not_directory")) throw error;
    const { name, dir, size, modified } = await files.stat(target.path);
    return [{
      name,
      dir,
      ...(size === undefined ? {} : { size }),
      ...(modified === undefined ? {} : { modified }),
    }];
  }
}

/** A table on a terminal; plain names in a pipe, as other programs expect of `ls`. */
function entryLines(call: Call, found: readonly Entry[]): string[] {
  const { columns, paint } = call.terminal;
  const nameOf = (e: Entry) => e.dir ? paint("cyan", safeLine(e.name)) + "/" : safeLine(e.name);
  if (columns === undefined && !option(call, "long")) return found.map(nameOf);
  if (!found.some((e) => e.size !== undefined || e.modified !== undefined)) {
    return found.map(nameOf);
  }
  const now = Date.now();
  return table(
    [{ title: "NAME" }, { title: "SIZE", right: true }, { title: "MODIFIED" }],
    found.map((e) => [
      nameOf(e),
      size(e.size),
      e.modified === undefined ? "-" : ago(e.modified, now),
    ]),
    paint,
  );
}

/** Prints a file's bytes. */
export const cat: Action = onFile(async (call, target, files) => {
  const options = {
    ...given("offset", option<number>(call, "offset")),
    ...given("length", option<number>(call, "length")),
    ...given("after", option<number>(call, "after")),
    signal: call.signal,
  };
  if (call.json) {
    const bytes = await readBytes(files, target.path, options);
    return printJson(call, asJson(bytes));
  }
  if (call.terminal.columns !== undefined && await isSmallJson(files, target.path)) {
    return call.terminal.print(pretty(await readBytes(files, target.path, options)));
  }
  let last = 10;
  const done = call.terminal.progress(`reading ${target.shown}`);
  try {
    for await (const chunk of readChunks(files, target.path, options)) {
      call.terminal.raw(chunk);
      last = chunk.at(-1) ?? last;
    }
  } finally {
    done();
  }
  // So that the shell's prompt starts on a line of its own; what goes into a pipe stays byte for byte.
  if (last !== 10 && call.terminal.columns !== undefined) call.terminal.raw(encoder.encode("\n"));
});

/** On a terminal JSON is for people's eyes. */
async function isSmallJson(files: FileService, path: string): Promise<boolean> {
  const { type, kind, size } = await files.stat(path);
  return kind === "value" && type === "application/json" && (size ?? 0) <= MAX_PRETTY_BYTES;
}

function pretty(bytes: Uint8Array): string {
  const text = new TextDecoder().decode(bytes);
  try {
    return safe(JSON.stringify(JSON.parse(text), null, 2));
  } catch {
    // A part of a file is seldom JSON.
    return safe(text);
  }
}

/** Writes a file from the words given, else from standard input. */
export const write: Action = onFile(async (call, target, files) => {
  const words = restArg(call, "text");
  const put = option(call, "append") ? appendBytes : writeBytes;
  const options: OpenOptions = {
    signal: call.signal,
    ...given("type", option<string>(call, "type")),
    ...given("match", option<string>(call, "match")),
  };
  const data = words.length > 0 ? encoder.encode(words.join(" ")) : call.terminal.input;
  if (words.length === 0 && call.terminal.inputIsTerminal && !call.quiet) {
    call.terminal.note("Reading from the terminal; Ctrl-D ends the file.");
  }
  await withProgress(call, `writing ${target.shown}`, put(files, target.path, data, options));
  if (call.json) printJson(call, { written: target.path });
});

/** Writes a request to a file and prints what it answers. */
export const call: Action = onFile(async (call, target, files) => {
  const words = restArg(call, "request");
  const request = words.length === 1 && words[0] === "-"
    ? await bytesOf(call.terminal.input)
    : encoder.encode(words.join(" "));
  const options = { signal: call.signal, ...given("type", option<string>(call, "type")) };
  const reply = await withProgress(
    call,
    `calling ${target.shown}`,
    callFile(files, target.path, request, options),
  );
  if (call.json) return printJson(call, asJson(reply));
  call.terminal.raw(reply);
  if (reply.length > 0 && reply.at(-1) !== 10) call.terminal.raw(encoder.encode("\n"));
});

/** Prints a file's events as they come, until Ctrl-C. */
export const watch: Action = onFile(async (call, target, files) => {
  const options: OpenOptions = {
    signal: call.signal,
    ...given("after", option<number>(call, "after")),
    ...given("tail", option<number>(call, "tail")),
  };
  const events = await watchFile(files, target.path, options);
  if (!call.quiet && !call.json && call.terminal.columns !== undefined) {
    call.terminal.note(call.terminal.paintNote("dim", `watching ${target.shown}; Ctrl-C ends it`));
  }
  for await (const event of events) {
    call.terminal.print(call.json ? JSON.stringify(event) : eventLine(call, event));
  }
});

function eventLine(call: Call, event: { readonly [field: string]: unknown }): string {
  const { seq, type, timestamp, ...fields } = event;
  const { paint } = call.terminal;
  const names = Object.keys(fields);
  const body = names.length === 1 && names[0] === "data" ? fields.data : fields;
  return [
    seq === undefined ? "" : paint("dim", String(seq)),
    typeof timestamp === "string" ? paint("dim", timestamp) : "",
    paint("cyan", safeLine(String(type))),
    names.length === 0 ? "" : safeLine(inline(body)),
  ].filter(Boolean).join("  ");
}

/** Removes a file; with --recursive a directory and all in it. */
export const rm: Action = onFile(async (call, target, files) => {
  if (target.path === "/") {
    throw new FileError("is_directory", "remove", target.shown, {
      detail: `the agent itself goes with: ${call.program} delete ${target.id}`,
    });
  }
  const removing = option(call, "recursive")
    ? removeAll(files, target.path)
    : files.remove(target.path);
  await withProgress(call, `removing ${target.shown}`, removing);
  if (call.json) printJson(call, { removed: target.path });
});

async function removeAll(files: FileService, path: string): Promise<void> {
  const { dir } = await files.stat(path);
  const base = path.replace(/\/$/, "");
  if (dir) {
    const children = await Array.fromAsync(entries(files, path));
    for (const child of children) await removeAll(files, `${base}/${child.name}`);
  }
  try {
    await files.remove(base);
  } catch (error) {
    // A directory that is nothing but its files went with the last of them.
    if (!dir || !hasCode(error, "not_found")) throw error;
  }
}

function given<K extends string, T>(name: K, value: T | undefined): { [k in K]?: T } {
  return value === undefined ? {} : { [name]: value } as { [k in K]?: T };
}

/** JSON as it is; other text and bytes under a name that says which. */
function asJson(bytes: Uint8Array): unknown {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return { base64: bytes.toBase64() };
  }
  try {
    return JSON.parse(text);
  } catch {
    return { text };
  }
}

async function bytesOf(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
