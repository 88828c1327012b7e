/** Names that are not there for an agent: patterns of names, at any depth, without regard to case. */
import { FileError } from "../../fs/error.ts";
import { segmentFault } from "../../fs/path.ts";

/** What a directory hides unless its mount says otherwise: where keys and passwords usually stand. */
export const HIDDEN: readonly string[] = [
  ".git/config",
  ".env*",
  "*.pem",
  "id_*",
  "credentials*",
];

/** So many patterns a mount, and so many names a pattern. */
const MAX_PATTERNS = 100;
const MAX_DEPTH = 8;

/** Is this path hidden, or something above it? */
export type IsHidden = (names: readonly string[]) => boolean;

/**
 * The test for a list of patterns: names with `*` for any characters, several of them joined by `/` for names that
 * follow one another.
 * @throws FileError `invalid_request` for what is no such list
 */
export function hiddenBy(patterns: readonly string[]): IsHidden {
  if (patterns.length > MAX_PATTERNS) throw unfit(`at most ${MAX_PATTERNS} patterns`);
  const rules = patterns.map(ruleOf);
  return (names) => {
    const plain = names.map(folded);
    return rules.some((rule) => plain.some((_, at) => stands(rule, plain, at)));
  };
}

function ruleOf(pattern: string): readonly string[] {
  const names = pattern.split("/");
  const fault = names.length > MAX_DEPTH
    ? `it has more than ${MAX_DEPTH} names`
    : names.map(segmentFault).find((fault) => fault !== undefined);
  if (fault) throw unfit(`${JSON.stringify(pattern)}: ${fault}`);
  return names.map(folded);
}

function unfit(why: string): FileError {
  return new FileError("invalid_request", "mount", "hidden", {
    detail: `hidden is a list of names such as ${HIDDEN.join(", ")}: ${why}`,
  });
}

function stands(rule: readonly string[], names: readonly string[], at: number): boolean {
  return rule.every((pattern, i) => at + i < names.length && fits(pattern, names[at + i]!));
}

/** `*` stands for any characters. Goes back to the last star only, so no pattern takes long. */
function fits(pattern: string, name: string): boolean {
  let [p, n, star, mark] = [0, 0, -1, 0];
  while (n < name.length) {
    if (pattern[p] === "*") {
      star = p++;
      mark = n;
    } else if (pattern[p] === name[n]) {
      p++;
      n++;
    } else if (star >= 0) {
      p = star + 1;
      n = ++mark;
    } else return false;
  }
  while (pattern[p] === "*") p++;
  return p === pattern.length;
}

/** Characters that some file systems do not see. */
const UNSEEN = /[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]/g;

/**
 * What all spellings have in common that some file system takes for the same name: case, composed and compatible
 * characters, dots and spaces at the end. Elsewhere this hides a few names more than it must, never one less.
 */
function folded(name: string): string {
  const plain = name.normalize("NFKC").replace(UNSEEN, "").toUpperCase().toLowerCase();
  return plain.replace(/[. ]+$/, "") || plain;
}
