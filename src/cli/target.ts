/** `bob/files/x.txt` as people write it: an agent and a path in its files. */
import { FileError, retold } from "../fs/error.ts";
import { type AgentId, agentId } from "../core/id.ts";
import { joinPath, segments } from "../fs/path.ts";
import { usage } from "./exit.ts";

export interface Target {
  readonly id: AgentId;
  /** Absolute within the agent; ends with `/` where a directory was meant. */
  readonly path: string;
  /** As it was written. */
  readonly shown: string;
}

const GLOBAL = "/agents/";

/** An agent's id from the command line. @throws usage error */
export function idOf(text: string): AgentId {
  // A listing shows agents as directories, and a shell's completion leaves the slash there.
  return usageOnly(() => agentId(text.replace(/\/$/, "")));
}

/** `bob`, `bob/`, `bob/status`; also with `/agents/` in front. @throws usage error */
export function targetOf(text: string): Target {
  const rest = text.startsWith(GLOBAL) ? text.slice(GLOBAL.length) : text;
  const slash = rest.indexOf("/");
  if (slash === 0) {
    throw usage(`${text} does not say whose file it is`, "The agent comes first: bob/status");
  }
  const id = usageOnly(() => agentId(slash < 0 ? rest : rest.slice(0, slash)));
  const path = slash < 0 ? "/" : rest.slice(slash);
  const names = usageOnly(() => segments(path));
  return {
    id,
    path: joinPath(names) + (path.endsWith("/") && names.length > 0 ? "/" : ""),
    shown: text,
  };
}

/** What is malformed here was mistyped: a usage error, with the same words. */
function usageOnly<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof FileError) throw usage(`${JSON.stringify(error.path)}: ${error.detail}`);
    throw error;
  }
}

/** Runs `work` on an agent's files; an error names the file as it was written on the command line. */
export async function inAgent<T>(id: AgentId, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { name, op, path } = error as FileError;
    if (name !== "FileError" || !path.startsWith("/")) throw error;
    throw retold(error, op, id + path);
  }
}
