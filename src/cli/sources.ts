/**
 * Which file of this machine an agent was made of: notes in the data directory, for `dev`. They never leave it; the server knows nothing of
 * paths.
 */
import { join, resolve } from "node:path";
import type { AgentId } from "../core/id.ts";
import type { Call } from "./call.ts";
import type { Code } from "./code.ts";
import { cannot, type Home, readSmall, removeQuietly, shownIn, writePrivate } from "./home.ts";
import { isServerOf } from "./reach.ts";

/** A directory of its own, so that it can be watched without hearing each commit of the database beside it. */
export const SOURCES = "sources";

export interface SourceNote {
  /** Absolute. */
  readonly file: string;
  /** SHA-256 of the bundle that was sent: what the agent runs unless others have deployed since. */
  readonly digest: string;
}

const nameOf = (id: string) => `${SOURCES}/${id}.json`;

/** The directory of the notes, made if it is not there. @throws an error that names it */
export function sourcesDir(home: Home): string {
  const dir = join(home.dir, SOURCES);
  try {
    Deno.mkdirSync(dir, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw cannot("make", shownIn(home, SOURCES), error);
  }
  return dir;
}

export function noteSource(home: Home, id: AgentId, note: SourceNote): void {
  sourcesDir(home);
  writePrivate(home, nameOf(id), JSON.stringify(note) + "\n");
}

/** Notes what an agent of the server at `url` is made of now, if that server's data directory is ours to write. */
export function noteCode(call: Call, url: string, id: AgentId, code: Code): void {
  const home = ownHome(call, url);
  if (!home) return;
  if (code.kind === "builtin") return forgetSource(home, id);
  const { file, bundle: { digest } } = code;
  noteSource(home, id, { file: resolve(call.cwd, file), digest });
}

/** The data directory of the server at `url`, where it is this user's. */
export function ownHome(call: Call, url: string): Home | undefined {
  try {
    const home = call.home();
    return isServerOf(home, url) ? home : undefined;
  } catch {
    // Nothing says where one is, or it is another user's.
  }
}

/** The agent is gone, or is none of a file's any more. */
export function forgetSource(home: Home, id: AgentId): void {
  removeQuietly(join(home.dir, nameOf(id)));
}

/** Every note, in order of id; what is none is passed over. */
export function readSources(home: Home): Map<AgentId, SourceNote> {
  const notes = new Map<AgentId, SourceNote>();
  for (const name of names(join(home.dir, SOURCES))) {
    const id = /^([a-z0-9][a-z0-9_-]{0,62})\.json$/.exec(name)?.[1] as AgentId | undefined;
    const note = id && parseNote(readSmall(home, nameOf(id)));
    if (note) notes.set(id, note);
  }
  return notes;
}

function names(dir: string): string[] {
  try {
    return Array.from(Deno.readDirSync(dir), (entry) => entry.name).sort();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

function parseNote(text: string | undefined): SourceNote | undefined {
  try {
    const { file, digest } = JSON.parse(text ?? "") as SourceNote;
    return typeof file === "string" && typeof digest === "string" ? { file, digest } : undefined;
  } catch {
    return undefined;
  }
}
