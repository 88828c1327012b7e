/** JSON as people write it in settings: with comments and trailing commas. */

/**
 * Parses JSON with `//` and block comments and commas before a closing bracket.
 * @throws SyntaxError as `JSON.parse` does, with line and column of the text that was given
 */
export function parseJsonc(text: string): unknown {
  const plain = blankExtras(text);
  try {
    return JSON.parse(plain);
  } catch (error) {
    const at = /position (\d+)/.exec((error as Error).message)?.[1];
    if (at === undefined) throw error;
    const before = plain.slice(0, Number(at)).split("\n");
    throw new SyntaxError(
      `not JSON at line ${before.length}, column ${before.at(-1)!.length + 1}`,
    );
  }
}

/** Comments and trailing commas become spaces, so that positions stay those of the text. */
function blankExtras(text: string): string {
  const out = text.split("");
  const blank = (from: number, to: number) => {
    for (let i = from; i < to; i++) if (out[i] !== "\n") out[i] = " ";
  };
  let comma = -1;
  let last = "";
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    if (c === '"') {
      i = endOfString(text, i);
      comma = -1;
      last = c;
    } else if (c === "/" && (text[i + 1] === "/" || text[i + 1] === "*")) {
      const end = endOfComment(text, i);
      blank(i, end);
      i = end - 1;
    } else if (c.trim() !== "") {
      if ((c === "]" || c === "}") && comma >= 0) out[comma] = " ";
      // A comma counts as trailing only behind a value: `[,]` stays an error.
      comma = c === "," && !"[{,:".includes(last || "[") ? i : -1;
      last = c;
    }
  }
  return out.join("");
}

/** The index of the quote that closes the string which opens at `start`. */
function endOfString(text: string, start: number): number {
  for (let i = start + 1; i < text.length; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === '"') return i;
  }
  return text.length;
}

/** The index behind the comment which opens at `start`; an open block comment is left for the parser to refuse. */
function endOfComment(text: string, start: number): number {
  if (text[start + 1] === "/") {
    const end = text.indexOf("\n", start);
    return end < 0 ? text.length : end;
  }
  const end = text.indexOf("*/", start + 2);
  return end < 0 ? start + 1 : end + 2;
}
