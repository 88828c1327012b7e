/** What an agent logs, as one bounded text. */
import { placeText } from "./stack.ts";

/** A longer entry is cut: a log is for people. */
export const MAX_LOG_CHARS = 8 * 1024;

/** Strings as they are, errors as `name: message (place)` on a line of their own, all else as JSON. Never throws. */
export function logText(parts: readonly unknown[]): string {
  let text = "";
  for (const part of parts) {
    const error = isError(part);
    if (text !== "") text += error ? "\n" : " ";
    text += error ? errorText(part) + placeText(part) : partText(part);
    if (text.length > MAX_LOG_CHARS) return cut(text, MAX_LOG_CHARS);
  }
  return text;
}

/** `TypeError: x is not a function`, of whatever was thrown. Never throws. */
export function errorText(thrown: unknown): string {
  if (!isError(thrown)) return cut(partText(thrown), MAX_LOG_CHARS);
  try {
    const name = typeof thrown.name === "string" && thrown.name ? thrown.name : "Error";
    return cut(`${name}: ${String(thrown.message)}`, MAX_LOG_CHARS);
  } catch {
    return "an error that cannot be shown";
  }
}

/** At most `maxChars`, told with how much is missing; no surrogate pair is cut in two. */
export function cut(text: string, maxChars: number): string {
  if (text.length <= maxChars) return text;
  const split = /[\uD800-\uDBFF]/.test(text[maxChars - 1]!);
  const kept = text.slice(0, split ? maxChars - 1 : maxChars);
  return `${kept}… (${text.length - kept.length} more)`;
}

function partText(part: unknown): string {
  if (typeof part === "string") return part;
  try {
    return JSON.stringify(part, (_, value) => typeof value === "bigint" ? String(value) : value) ??
      String(part);
  } catch {
    return "a value that cannot be shown";
  }
}

function isError(value: unknown): value is Error {
  return value instanceof Error;
}
