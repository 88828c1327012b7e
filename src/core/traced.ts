/** An agent's files, each call of which is a span. */
import { codeOf } from "../fs/error.ts";
import type { FileHandle, FileService } from "../fs/file.ts";
import type { AgentId } from "./id.ts";
import type { Span, SpanContext, Tracer } from "./tracer.ts";

/** @param parent what the call is a part of, asked when it begins */
export function tracedFiles(
  files: FileService,
  agent: AgentId,
  tracer: Tracer,
  parent: () => SpanContext | undefined,
): FileService {
  return {
    stat: (path) => files.stat(path),
    list: (path, page) => files.list(path, page),
    remove: (path, options) => files.remove(path, options),
    async open(path, mode, options) {
      if (mode !== "call") return await files.open(path, mode, options);
      const span = tracer.start(`call ${mountOf(path)}`, {
        kind: "internal",
        parent: parent(),
        attributes: { "agentd.agent": agent, "agentd.path": path },
      });
      return tracedCall(await ended(span, files.open(path, mode, options)), span);
    },
  };
}

/** The span lasts until the answer has been read, or the handle is closed. */
function tracedCall(handle: FileHandle, span: Span): FileHandle {
  return {
    write: (data) => ended(span, handle.write(data)),
    async read() {
      const chunk = await ended(span, handle.read());
      if (chunk === undefined) span.end();
      return chunk;
    },
    async close() {
      await ended(span, handle.close());
      span.end();
    },
  };
}

/** A failure ends the span. */
async function ended<T>(span: Span, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    span.end({
      code: codeOf(error),
      message: error instanceof Error ? error.message : String(error),
    });
    throw error;
  }
}

/** `/identity/sign` → `/identity` */
function mountOf(path: string): string {
  const end = path.indexOf("/", 1);
  return end < 0 ? path : path.slice(0, end);
}
