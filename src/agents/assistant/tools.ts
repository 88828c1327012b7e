/** The five tools of an assistant, which are its own files and nothing else; what comes of them is text of a bounded size. */
import { z } from "zod";
import { codeOf } from "../../fs/error.ts";
import { readChunks } from "../../fs/use.ts";
import type { AgentContext } from "../../core/agent.ts";
import type { Tool, ToolCall } from "../../core/compute.ts";
import type { Backend } from "../../core/backend.ts";
import type { Json } from "../../core/envelope.ts";
import { parseJson } from "../../core/strange.ts";
import { cutText } from "../common/text.ts";

/** Entries of a directory that the model gets at once. */
const MAX_ENTRIES = 200;
/** Room for the words on where to read on. */
const MARK_BYTES = 64;

export interface ToolLimits {
  readonly maxResultBytes: number;
  readonly maxWatchMs: number;
  readonly timer: Backend["timer"];
}

interface Run {
  readonly ctx: AgentContext;
  readonly limits: ToolLimits;
}

interface Declared {
  readonly tool: Tool;
  run(args: unknown, run: Run): Promise<string>;
}

const path = z.string().describe("absolute, as /files/notes.txt");

const DECLARED: readonly Declared[] = [
  declared(
    "list",
    "The entries of a directory; those that are directories end with a slash.",
    z.strictObject({
      path,
      after: z.string().optional().describe("only entries behind this name"),
    }),
    async ({ path, after }, { ctx }) => {
      const page = { limit: MAX_ENTRIES, ...(after === undefined ? {} : { after }) };
      const entries = await ctx.env.list(path, page);
      const lines = entries.map(({ name, dir, size }) =>
        name + (dir ? "/" : size === undefined ? "" : `  ${size} bytes`)
      );
      if (entries.length === 0) return "(empty)";
      if (entries.length < MAX_ENTRIES) return lines.join("\n");
      const more = JSON.stringify(entries.at(-1)!.name);
      return `${lines.join("\n")}\n[there may be more: list with after ${more}]`;
    },
  ),
  declared(
    "read",
    "The content of a file. A long one comes in parts: read on with offset, or after for a file of events.",
    z.strictObject({
      path,
      offset: z.int().nonnegative().optional().describe("first byte"),
      after: z.int().nonnegative().optional().describe("only events with a higher seq"),
    }),
    readFile,
  ),
  declared(
    "write",
    "Replaces a file by this content, or adds it at its end.",
    z.strictObject({
      path,
      content: z.string(),
      append: z.boolean().optional().describe("add it at the end"),
    }),
    async ({ path, content, append }, { ctx }) => {
      await (append ? ctx.env.append(path, content) : ctx.env.write(path, content));
      return append ? "appended" : "written";
    },
  ),
  declared(
    "call",
    "Writes a request to a file that answers, and gives its answer.",
    z.strictObject({ path, request: z.json().describe("a text, or JSON as a text") }),
    async ({ path, request }, { ctx }) => {
      const answer = await ctx.env.call<Json>(path, request);
      return typeof answer === "string" ? answer : JSON.stringify(answer);
    },
  ),
  declared(
    "watch",
    "Waits for the next event of a file, as long as you say and no longer.",
    z.strictObject({
      path,
      seconds: z.number().positive().optional().describe("how long at the most"),
      after: z.int().nonnegative().optional().describe("from the event behind this seq on"),
    }),
    watchFile,
  ),
];

export const TOOLS: readonly Tool[] = DECLARED.map(({ tool }) => tool);

/**
 * Does what the model wants and answers what it gets to see; a refusal is an answer too.
 * @throws FileError `approval_required`, which a person answers and not the model, and whatever ends the tick
 */
export async function runTool(
  { function: { name, arguments: text } }: ToolCall,
  ctx: AgentContext,
  limits: ToolLimits,
): Promise<string> {
  const found = DECLARED.find(({ tool }) => tool.function.name === name);
  if (!found) return `Error: there is no tool ${JSON.stringify(name)}; there are ${names()}.`;
  let args: unknown;
  try {
    args = parseJson(text === "" ? "{}" : text);
  } catch (error) {
    return `Error: the arguments cannot be read as JSON: ${(error as Error).message}`;
  }
  try {
    return bounded(await found.run(args, { ctx, limits }), limits.maxResultBytes);
  } catch (error) {
    const isRefusal = (error as { name?: unknown } | null)?.name === "FileError";
    if (!isRefusal || ctx.signal.aborted || codeOf(error) === "approval_required") throw error;
    return bounded(`Error: ${(error as Error).message}`, limits.maxResultBytes);
  }
}

function names(): string {
  return TOOLS.map((tool) => tool.function.name).join(", ");
}

function bounded(text: string, maxBytes: number): string {
  const cut = cutText(text, maxBytes);
  return cut.isCut ? `${cut.text}\n[cut after ${maxBytes} bytes]` : text;
}

function declared<Args>(
  name: string,
  description: string,
  schema: z.ZodObject & z.ZodType<Args>,
  run: (args: Args, run: Run) => Promise<string>,
): Declared {
  return {
    tool: { type: "function", function: { name, description, parameters: told(schema) } },
    // deno-lint-ignore require-await -- a wrong argument is an answer, as every refusal
    async run(args, given) {
      const { data, error } = schema.safeParse(withoutNulls(args));
      if (error) {
        const { path: at, message } = error.issues[0]!;
        return `Error: ${at.join(".") || "arguments"}: ${message}`;
      }
      return run(data, given);
    },
  };
}

/** Names, types and words alone: many model servers refuse a schema that says more, or stumble over it. */
function told(schema: z.ZodObject): Record<string, unknown> {
  const { properties = {}, required } = z.toJSONSchema(schema);
  const simple = Object.entries(properties).map(([name, property]) => {
    const { type = "string", description } = property as { type?: string; description?: string };
    return [name, { type, ...(description === undefined ? {} : { description }) }];
  });
  return { type: "object", properties: Object.fromEntries(simple), required };
}

/** Some models say of each field that they leave out that it is null. */
function withoutNulls(args: unknown): unknown {
  if (typeof args !== "object" || args === null || Array.isArray(args)) return args;
  return Object.fromEntries(Object.entries(args).filter(([, value]) => value !== null));
}

interface ReadArgs {
  readonly path: string;
  readonly offset?: number | undefined;
  readonly after?: number | undefined;
}

async function readFile({ path, offset, after }: ReadArgs, run: Run): Promise<string> {
  const { ctx, limits: { maxResultBytes } } = run;
  const from = {
    ...(offset === undefined ? {} : { offset }),
    ...(after === undefined ? {} : { after }),
  };
  const bytes = await firstBytes(readChunks(ctx.env.files, path, from), maxResultBytes);
  if (bytes.length === 0) return "(empty)";
  const isCut = bytes.length > maxResultBytes;
  const shown = isCut ? bytes.subarray(0, maxResultBytes - MARK_BYTES) : bytes;
  let text: string;
  try {
    const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    text = decoder.decode(shown, { stream: isCut });
  } catch {
    return `Error: ${path} is no text.`;
  }
  if (!isCut) return text;
  const { kind } = await ctx.env.stat(path);
  if (kind === "stream") return wholeEvents(text);
  const next = (offset ?? 0) + new TextEncoder().encode(text).length;
  return `${text}\n[cut: read on with offset ${next}]`;
}

/** So many bytes, and some more if there are more. */
async function firstBytes(
  chunks: AsyncIterable<Uint8Array>,
  maxBytes: number,
): Promise<Uint8Array> {
  let bytes: Uint8Array = new Uint8Array(0);
  for await (const chunk of chunks) {
    const both = new Uint8Array(bytes.length + chunk.length);
    both.set(bytes);
    both.set(chunk, bytes.length);
    bytes = both;
    if (bytes.length > maxBytes) break;
  }
  return bytes;
}

/** Events of a file, one a line, without the one that is cut in two. */
function wholeEvents(text: string): string {
  const lines = text.split("\n").slice(0, -1);
  const last = lines.at(-1);
  if (last === undefined) return "Error: the first event is too long to be shown.";
  const { seq } = JSON.parse(last) as { seq: number };
  return `${lines.join("\n")}\n[cut: read on with after ${seq}]`;
}

interface WatchArgs {
  readonly path: string;
  readonly seconds?: number | undefined;
  readonly after?: number | undefined;
}

async function watchFile({ path, seconds, after }: WatchArgs, run: Run): Promise<string> {
  const { ctx, limits: { maxWatchMs, timer } } = run;
  const waitMs = Math.min(maxWatchMs, Math.ceil((seconds ?? maxWatchMs / 1000) * 1000));
  const over = new AbortController();
  const cancel = timer(waitMs, () => over.abort());
  try {
    const from = { signal: over.signal, ...(after === undefined ? {} : { after }) };
    for await (const event of ctx.env.watch<Json>(path, from)) return JSON.stringify(event);
    return `(no event within ${waitMs / 1000} s)`;
  } finally {
    cancel();
    over.abort();
  }
}
