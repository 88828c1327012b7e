/** Bytes and JSON, text and digests: how values are written into rows. */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function encodeText(text: string): Uint8Array {
  return encoder.encode(text);
}
export function decodeText(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}
export function encodeJson(value: unknown): Uint8Array {
  return encoder.encode(JSON.stringify(value));
}
/** Rows are the runtime's own writing: what does not parse is a corrupt row and throws. */
export function decodeJson<T>(bytes: Uint8Array): T {
  return JSON.parse(decoder.decode(bytes)) as T;
}
/** SHA-256, 64 hex digits. */
export function digest(data: Uint8Array | string): string {
  return bytesToHex(sha256(typeof data === "string" ? encoder.encode(data) : data));
}
/** Enough of a SHA-256 to tell one content from another: 16 hex digits. */
export function shortDigest(data: Uint8Array | string): string {
  return digest(data).slice(0, 16);
}
