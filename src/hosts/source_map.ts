/**
 * Where a frame of bundled code stands in its author's own files, by the map that the bundle carries in its last line. Both are what a
 * stranger may have written: what is too large or makes no sense maps nothing.
 */
import { decode, type SourceMapMappings } from "@jridgewell/sourcemap-codec";

/** A name that the engine does not read: it would map positions without a word on which file they are in. */
export const MAP_COMMENT = "//# agentdSourceMap=";
/** A larger map is as good as none. It says of an author's own files alone, and those are small. */
const MAX_MAP_CHARS = 4 * 1024 * 1024;
const MAX_SOURCES = 10_000;
const MAX_NAME_CHARS = 200;

export interface Place {
  /** As the author named it, relative to the agent's own file. */
  readonly file: string;
  /** From 1, both. */
  readonly line: number;
  readonly column: number;
}

/** Where a position of the bundle comes from; undefined where that is no file of the author's. Lines and columns from 1. */
export type Locate = (line: number, column: number) => Place | undefined;

/** Takes the map out of a module's source; it is read when the first place is asked for. */
export function locator(source: Uint8Array): Locate {
  const encoded = mapOf(source);
  let map: SourceMap | undefined;
  return (line, column) => {
    // What came without one was written as it runs.
    if (encoded === undefined) return { file: "agent.js", line, column };
    map ??= parse(encoded);
    return place(map, line, column);
  };
}

interface SourceMap {
  readonly sources: readonly string[];
  readonly lines: SourceMapMappings;
}

const NOTHING: SourceMap = { sources: [], lines: [] };

/** A copy, so that the source itself need not be kept. */
function mapOf(source: Uint8Array): string | undefined {
  const end = new TextDecoder().decode(source.subarray(-(MAX_MAP_CHARS + MAP_COMMENT.length)));
  const at = end.lastIndexOf(MAP_COMMENT);
  return at < 0 ? undefined : end.slice(at + MAP_COMMENT.length).trim();
}

function parse(encoded: string): SourceMap {
  try {
    const bytes = Uint8Array.from(atob(encoded), (c) => c.charCodeAt(0));
    const { sources, mappings } = JSON.parse(new TextDecoder().decode(bytes));
    if (!Array.isArray(sources) || sources.length > MAX_SOURCES) return NOTHING;
    if (!sources.every((name) => typeof name === "string")) return NOTHING;
    return typeof mappings === "string" ? { sources, lines: decode(mappings) } : NOTHING;
  } catch {
    return NOTHING;
  }
}

function place({ sources, lines }: SourceMap, line: number, column: number): Place | undefined {
  const segments = lines[line - 1] ?? [];
  // The last one that begins at or before the column.
  let [low, high] = [0, segments.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (segments[middle]![0] <= column - 1) low = middle + 1;
    else high = middle;
  }
  const [, source, at, from] = segments[low - 1] ?? [];
  const file = source === undefined ? undefined : sources[source];
  if (file === undefined || at === undefined || from === undefined) return undefined;
  // Differences are what a map is made of, and a stranger's may lead before the beginning.
  if (at < 0 || from < 0) return undefined;
  return { file: file.slice(0, MAX_NAME_CHARS), line: at + 1, column: from + 1 };
}
