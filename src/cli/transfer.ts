/** `agentd export` and `agentd import`: an agent leaves as one file, and comes from such a file. */
import { resolve } from "node:path";
import { type AgentId, agentId } from "../core/id.ts";
import { EXPORT_FORMAT, type ExportHead } from "../core/transfer.ts";
import { hasCode, retold } from "../fs/error.ts";
import { type Action, answer, arg, type Call, option } from "./call.ts";
import { EXIT, trouble } from "./exit.ts";
import { passphraseFor } from "./passphrase.ts";
import { safeLine, size } from "./print.ts";
import { idOf } from "./target.ts";
import { mayWrite, writeWhole } from "./whole_file.ts";

/** How many bytes have gone by, for the progress line. */
interface Counted {
  bytes: number;
}

/** The name that stands for standard input or output. */
const STREAM = "-";
/** A head line is some hundred bytes; what has none in so many is another file. */
const MAX_HEAD_BYTES = 64 * 1024;

/** `agentd export bob`: to `bob.agent`, unless -o says otherwise. */
export const exportAgent: Action = async (call) => {
  const id = idOf(arg(call, "id"));
  const path = option<string>(call, "out") ?? `${id}.agent`;
  const to = { path, force: option(call, "force") === true };
  if (path !== STREAM) mayWrite(call, to);
  const passphrase = option(call, "withKey") === true
    ? await passphraseFor(call, `the key of ${id}`, { twice: true })
    : undefined;
  const seen: Counted = { bytes: 0 };
  const done = call.terminal.progress(() => `exporting ${id}, ${size(seen.bytes)}`);
  try {
    const given = passphrase === undefined ? {} : { passphrase };
    const chunks = await call.server().exportAgent(id, { ...given, signal: call.signal });
    const whole = counted(ended(chunks, id), seen);
    if (path === STREAM) {
      for await (const chunk of whole) call.terminal.raw(chunk);
      return;
    }
    await writeWhole(call, to, whole);
  } finally {
    done();
  }
  const key = passphrase === undefined ? "without its key" : "with its key, encrypted";
  answer(
    call,
    { id, file: resolve(call.cwd, path), bytes: seen.bytes, with_key: !!passphrase },
    () => [
      `${id} exported to ${path}   ${call.terminal.paint("dim", `${size(seen.bytes)} · ${key}`)}`,
    ],
  );
};

/** `agentd import FILE`: the same life goes on here; with --clone a new one with the same memory begins. */
export const importAgent: Action = async (call) => {
  const path = arg(call, "file");
  const mode = option(call, "clone") === true ? "clone" : "restore";
  const named = option<string>(call, "id");
  const seen: Counted = { bytes: 0 };
  const { head, file } = await opened(call, path, seen);
  const id = named === undefined ? agentIn(head, path) : idOf(named);
  await mustBeFree(call, id);
  const passphrase = mode === "restore" && head.ncryptsec !== undefined
    ? await passphraseFor(call, `the key of ${safeLine(head.agent.id)}`, { twice: false })
    : undefined;
  const done = call.terminal.progress(() => `importing ${id}, ${size(seen.bytes)}`);
  const info = await call.server().importAgent(file, {
    mode,
    id,
    ...(passphrase === undefined ? {} : { passphrase }),
    signal: call.signal,
  }).catch((error) => {
    throw hasCode(error, "internal") ? error : retold(error, "import", path);
  }).finally(done);
  const key = passphrase === undefined ? "with a new key" : "with its key";
  answer(call, { ...info, imported: mode }, () => [
    `${call.terminal.paint("bold", id)} ${mode === "clone" ? "cloned" : "restored"}   ` +
    call.terminal.paint("dim", `${info.agent} · ${info.state} · ${key} · ${info.npub}`),
  ]);
};

/** Looked at before anything is sent: who uploads a gigabyte wants to know first. */
async function mustBeFree(call: Call, id: AgentId): Promise<void> {
  try {
    await call.server().info(id);
  } catch (error) {
    if (hasCode(error, "not_found")) return;
    throw error;
  }
  throw trouble(
    EXIT.failed,
    `${id} is there already`,
    `Import it under another id with --id, or first: ${call.program} delete ${id}`,
  );
}

function agentIn(head: ExportHead, path: string): AgentId {
  try {
    return agentId(head.agent.id);
  } catch {
    throw noExport(path);
  }
}

/** The file's head, and the whole of it as a stream. */
async function opened(
  call: Call,
  path: string,
  seen: Counted,
): Promise<{ readonly head: ExportHead; readonly file: ReadableStream<Uint8Array> }> {
  const chunks = counted(path === STREAM ? call.terminal.input : readable(call, path), seen);
  const begun: Uint8Array[] = [];
  let head: ExportHead | undefined;
  for (let text = "", decoder = new TextDecoder(); !head;) {
    const { done, value } = await chunks.next();
    if (!done) {
      begun.push(value);
      text += decoder.decode(value, { stream: true });
    }
    const end = text.indexOf("\n");
    if (end >= 0) head = headOf(text.slice(0, end), path);
    else if (done || text.length > MAX_HEAD_BYTES) throw noExport(path);
  }
  const all = async function* () {
    yield* begun;
    yield* chunks;
  };
  return { head, file: ReadableStream.from(all()) };
}

function readable(call: Call, path: string): ReadableStream<Uint8Array> {
  try {
    const file = Deno.openSync(resolve(call.cwd, path), { read: true });
    if (file.statSync().isDirectory) throw new Error("it is a directory");
    return file.readable;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      throw trouble(EXIT.notFound, `There is no file ${path}`);
    }
    throw trouble(EXIT.failed, `Cannot read ${path}: ${(error as Error).message}`);
  }
}

/** As much of the head as is looked at here; the server checks the rest. */
function headOf(line: string, path: string): ExportHead {
  let head: ExportHead;
  try {
    head = JSON.parse(line);
  } catch {
    throw noExport(path);
  }
  if (head?.format !== EXPORT_FORMAT || typeof head.agent?.id !== "string") throw noExport(path);
  return head;
}

function noExport(path: string): Error {
  return trouble(
    EXIT.failed,
    `${path} is no exported agent`,
    "Such a file is written by the export command.",
  );
}

async function* counted(
  chunks: AsyncIterable<Uint8Array>,
  seen: Counted,
): AsyncGenerator<Uint8Array, undefined> {
  for await (const chunk of chunks) {
    seen.bytes += chunk.length;
    yield chunk;
  }
}

/** Longer than the last line of any export. */
const END_BYTES = 256;

/** A connection that broke must not pass for the end of the file: its last line says that it is whole. */
async function* ended(chunks: AsyncIterable<Uint8Array>, id: AgentId): AsyncGenerator<Uint8Array> {
  let end: Uint8Array = new Uint8Array(0);
  for await (const chunk of chunks) {
    end = Uint8Array.from([...end, ...chunk.subarray(-END_BYTES)]).slice(-END_BYTES);
    yield chunk;
  }
  const last = new TextDecoder().decode(end).trimEnd().split("\n").at(-1)!;
  if (/^\{"rows":\d+,"sha256":"[0-9a-f]{64}"\}$/.test(last)) return;
  throw trouble(EXIT.failed, `The export of ${id} broke off`, "Nothing was kept of it; try again.");
}
