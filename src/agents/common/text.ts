/** Text of a bounded size: what is kept of it, with no character in halves. */

const encoder = new TextEncoder();

/** Bytes as JSON. */
export function bytesOf(value: unknown): number {
  return encoder.encode(JSON.stringify(value)).length;
}

/** At most so many bytes of UTF-8, from the beginning; and whether something was cut off. */
export function cutText(text: string, maxBytes: number): { text: string; isCut: boolean } {
  // A UTF-16 unit is at most three bytes.
  if (text.length * 3 <= maxBytes) return { text, isCut: false };
  const bytes = encoder.encode(text);
  if (bytes.length <= maxBytes) return { text, isCut: false };
  const kept = new TextDecoder().decode(bytes.subarray(0, maxBytes), { stream: true });
  return { text: kept, isCut: true };
}

/** At most so many bytes of UTF-8, from the end. */
export function tailOf(text: string, maxBytes: number): { text: string; isCut: boolean } {
  if (text.length * 3 <= maxBytes) return { text, isCut: false };
  const bytes = encoder.encode(text);
  if (bytes.length <= maxBytes) return { text, isCut: false };
  let from = bytes.length - maxBytes;
  // Bytes of the shape 10xxxxxx belong to the character before them.
  while (from < bytes.length && (bytes[from]! & 0xc0) === 0x80) from++;
  return { text: new TextDecoder().decode(bytes.subarray(from)), isCut: true };
}
