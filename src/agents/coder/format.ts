/**
 * Files in the text of a model: fenced blocks, each with its name behind `path=` where the fence opens. Small models keep to that most of the time; where they put
 * the name elsewhere it is still found, as long as there is no doubt.
 */
import { MAX_REQUEST_FILES } from "../../core/containers.ts";
import { segmentFault } from "../../fs/path.ts";

export interface CodeFile {
  readonly path: string;
  readonly text: string;
}

/** `fault`: what is wrong with the answer, in words for the model. */
export type Found =
  | { readonly files: readonly CodeFile[]; readonly fault?: undefined }
  | { readonly files?: undefined; readonly fault: string };

const MAX_PATH_CHARS = 512;
const MAX_LINE_CHARS = 600;
const MAX_FILES_BYTES = 1024 * 1024;

const OPEN = /^ {0,3}(`{3,}|~{3,})\s*(.*?)\s*$/;
const THOUGHT = /^\s*<think>.*?<\/think>/s;
/** `path=main.py`, `{path="src/main.py"}` */
const NAMED = /(?:^|[\s{,])(?:path|file|filename)\s*[=:]\s*(["']?)([^\s"'`}]+)\1/i;
const COMMENT = /^\s*(?:#|\/\/|--|;|\/\*|<!--)\s*(?:path|file|filename)\s*[=:]\s*([^\s*]+)/i;
/** A line of nothing but a name, whatever adorns it. */
const HEADING =
  /^[\s#>*_`-]*(?:file(?:name)?\s*:?\s*)?[\s*_`]*([\w./-]+\.\w+|Makefile|Dockerfile)[\s*_`:]*$/i;
const NAME_ALONE = /^[\w./-]+\.\w+$/;

interface Block {
  readonly info: string;
  readonly before: string;
  readonly text: string;
}

/** @param isCut the answer ended at its limit, so that a block without an end is not whole */
export function filesIn(answer: string, isCut: boolean): Found {
  const blocks = blocksIn(answer.replace(THOUGHT, "").replaceAll("\r\n", "\n"));
  if (isCut) {
    return {
      fault: "The answer was too long and was cut off. Write less: shorter files, no words.",
    };
  }
  const files = new Map<string, string>();
  for (const block of blocks) {
    const name = nameOf(block);
    if (name === undefined) continue;
    const path = name.replace(/^(?:\.\/)+/, "");
    const fault = pathFault(path);
    if (fault !== undefined) return { fault: `The file name ${JSON.stringify(name)}: ${fault}.` };
    files.set(path, block.text);
  }
  const fault = filesFault(files, blocks.length);
  if (fault !== undefined) return { fault };
  return { files: [...files].map(([path, text]) => ({ path, text })) };
}

function filesFault(files: ReadonlyMap<string, string>, blocks: number): string | undefined {
  if (files.size === 0) {
    return blocks === 0
      ? "There was no file in the answer."
      : "No file in the answer has a name: each block has to begin with a line such as ```path=NAME";
  }
  if (files.size > MAX_REQUEST_FILES) {
    return `There were ${files.size} files; there may be ${MAX_REQUEST_FILES}.`;
  }
  const chars = [...files.values()].reduce((sum, { length }) => sum + length, 0);
  if (chars > MAX_FILES_BYTES) return "The files are too large together: write less.";
  const dirs = [...files.keys()].find((path) =>
    [...files.keys()].some((other) => other.startsWith(`${path}/`))
  );
  if (dirs !== undefined) return `${dirs} cannot be both a file and a directory.`;
}

function blocksIn(text: string): Block[] {
  const blocks: Block[] = [];
  const lines = text.split("\n");
  let before = "";
  for (let at = 0; at < lines.length; at++) {
    const [, fence, info] = OPEN.exec(lines[at]!) ?? [];
    if (fence === undefined) {
      if (lines[at]!.trim() !== "") before = lines[at]!;
      continue;
    }
    const end = endOf(lines, at + 1, fence);
    const content = lines.slice(at + 1, end < 0 ? undefined : end);
    blocks.push({ info: info!, before, text: joined(content) });
    if (end < 0) break;
    before = "";
    at = end;
  }
  return blocks;
}

function endOf(lines: readonly string[], from: number, fence: string): number {
  for (let at = from; at < lines.length; at++) if (closes(lines[at]!, fence)) return at;
  return -1;
}

/** A fence of the same kind, no shorter, and nothing behind it. */
function closes(line: string, fence: string): boolean {
  const bare = line.trim();
  return bare.length >= fence.length && bare === fence[0]!.repeat(bare.length);
}

function joined(lines: readonly string[]): string {
  return lines.length === 0 ? "" : lines.join("\n").replace(/\n*$/, "\n");
}

function nameOf({ info, before, text }: Block): string | undefined {
  const named = inLine(NAMED, info)?.[2];
  if (named !== undefined) return named;
  const last = info.split(/\s+/).at(-1)!;
  if (inLine(NAME_ALONE, last)) return last;
  return inLine(COMMENT, text.split("\n", 1)[0]!)?.[1] ?? inLine(HEADING, before)?.[1];
}

/** A line that is longer names nothing. */
function inLine(pattern: RegExp, line: string): RegExpExecArray | null {
  return line.length <= MAX_LINE_CHARS ? pattern.exec(line) : null;
}

function pathFault(path: string): string | undefined {
  if (path.startsWith("/")) return "it must not begin with a slash";
  if (path.length > MAX_PATH_CHARS) return "it is too long";
  return path.split("/").map(segmentFault).find((fault) => fault !== undefined);
}

/** The same form that models are asked for. */
export function blockOf({ path, text }: CodeFile): string {
  const longest = Math.max(
    2,
    ...Array.from(text.matchAll(/^\s*(`{3,})/gm), ([, run]) => run!.length),
  );
  const fence = "`".repeat(longest + 1);
  return `${fence}path=${path}\n${text}${text === "" || text.endsWith("\n") ? "" : "\n"}${fence}`;
}

export function blocksOf(files: readonly CodeFile[]): string {
  return files.map(blockOf).join("\n\n");
}
