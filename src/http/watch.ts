/** Watches of files: who asks for one, where it begins, and from where a reader that was cut off goes on. */
import { FileError } from "../fs/error.ts";
import type { FileService, OpenOptions, Stat } from "../fs/file.ts";
import type { Watchers } from "./events.ts";
import { AFTER_SEQ, paramIn, TAIL, WATCH } from "./params.ts";
import type { Answer } from "./route.ts";
import { wholeNumber } from "./target.ts";
import type { Visit } from "./visit.ts";

/** The one file that streams without being asked to, and how much of it comes first. */
export const TRACE = "/logs/trace";
const TRACE_TAIL = 20;

/** What the document says of the header, and of a watch. */
export const LAST_EVENT_ID = "Of a watch: go on behind this event.";
export const EVENTS: Answer = {
  about: "Server-sent events, each with the file's event as JSON; a comment every 15 s. " +
    "Who does not read is dropped, with an event `dropped`.",
  body: { "text/event-stream": "bytes" },
};

export function wantsWatch(path: string, { request, target: { query } }: Visit): boolean {
  const asked = paramIn(query, WATCH);
  if (asked !== undefined) return asked;
  return path === TRACE || (request.headers.get("accept")?.includes("text/event-stream") ?? false);
}

/** Every watch as SSE; `Last-Event-ID` or `?after=` resumes, `?tail=` begins with the last so many. */
export async function watch(
  files: FileService,
  path: string,
  { request, target: { query } }: Visit,
  watchers: Watchers,
): Promise<Response> {
  const given = lastEventId(request.headers) ?? paramIn(query, AFTER_SEQ);
  const tail = paramIn(query, TAIL) ?? (path === TRACE ? TRACE_TAIL : 0);
  const stat = await files.stat(path);
  const now = () => stat.whole ? 0 : endOf(files, path, stat);
  const begin = given ?? (tail === 0 ? await now() : undefined);
  const from: OpenOptions = begin !== undefined ? { after: begin } : tail ? { tail } : {};
  return await watchers.serve((signal) => files.open(path, "watch", { ...from, signal }), {
    kind: stat.kind,
    ...(begin === undefined ? {} : { begin }),
  });
}

function lastEventId(headers: Headers): number | undefined {
  const text = headers.get("last-event-id");
  if (text === null || text === "") return undefined;
  const seq = wholeNumber(text);
  if (seq === undefined) {
    throw new FileError("invalid_request", "parse", "Last-Event-ID", {
      detail: `Last-Event-ID is an integer from 0, not ${JSON.stringify(text.slice(0, 100))}`,
    });
  }
  return seq;
}

/**
 * Where a stream stands now, so that a reader who is cut off before the first event knows where to go on.
 * Undefined for what has no numbers, or does not let itself be read.
 */
async function endOf(
  files: FileService,
  path: string,
  { kind, modes }: Stat,
): Promise<number | undefined> {
  if (kind !== "stream" || !modes.includes("read")) return undefined;
  const handle = await files.open(path, "read", { tail: 1 });
  let last = "";
  let rest = "";
  try {
    const decoder = new TextDecoder();
    for (let chunk = await handle.read(); chunk; chunk = await handle.read()) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = lines.pop()!;
      last = lines.at(-1) ?? last;
    }
  } finally {
    await handle.close();
  }
  const line = rest || last;
  return line === "" ? 0 : seqOf(line);
}

function seqOf(line: string): number | undefined {
  try {
    const { seq } = JSON.parse(line);
    return Number.isSafeInteger(seq) ? seq : undefined;
  } catch {
    return undefined;
  }
}
