/** What an engine, a registry or a repository's server prints: text of strangers, cut to size and without what a terminal would obey, before anybody is shown it. */

/** Of one sentence in an error. */
const MAX_SAID_CHARS = 300;
/** Escape sequences of terminals first, so that their letters do not stay behind; then what is left of control and of direction marks. */
// deno-lint-ignore no-control-regex -- they are what is to be found
const SEQUENCES = /\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.?)/g;
const UNPRINTABLE = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]+/gu;

/** One line of at most `maxChars`. */
export function plain(text: string, maxChars = MAX_SAID_CHARS): string {
  // Cut before as well, so that a long text costs no more than a short one.
  const line = text.slice(0, 16 * maxChars).replaceAll(SEQUENCES, "").replaceAll(UNPRINTABLE, " ")
    .trim();
  return line.length <= maxChars ? line : `${line.slice(0, maxChars - 1).toWellFormed()}…`;
}

/** The lines of a text that say something. */
export function lines(text: string): string[] {
  return text.split(/\r\n|\n|\r/).map((line) => line.trim()).filter((line) => line !== "");
}
