/** JSON that a stranger wrote: taken apart only where whoever walks through it later has stack enough for it. */
import type { Json } from "./envelope.ts";

/** Objects and arrays inside each other; deeper is a mistake, and would exhaust the stack of who reads it. */
export const MAX_JSON_DEPTH = 256;

/** @throws SyntaxError for what is no JSON, and for JSON that is nested deeper */
export function parseJson(text: string, maxDepth = MAX_JSON_DEPTH): Json {
  if (isDeep(text, maxDepth)) {
    throw new SyntaxError(`it is nested more than ${maxDepth} levels deep`);
  }
  return JSON.parse(text);
}

/** What is shorter than its brackets would be cannot be deep, and need not be looked through. */
function isDeep(text: string, maxDepth: number): boolean {
  if (text.length <= 2 * maxDepth) return false;
  let depth = 0;
  let inText = false;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === QUOTE) inText = !inText;
    else if (inText) i += c === BACKSLASH ? 1 : 0;
    else if (c === LIST || c === OBJECT) {
      if (++depth > maxDepth) return true;
    } else if (c === LIST_END || c === OBJECT_END) depth--;
  }
  return false;
}

const QUOTE = 0x22, BACKSLASH = 0x5c;
const LIST = 0x5b, LIST_END = 0x5d, OBJECT = 0x7b, OBJECT_END = 0x7d;
