/** A secret key as NIP-19 writes it, for who gives one away on purpose. */
import { nsecEncode } from "nostr-tools/nip19";

export function nip19(secret: Uint8Array): string {
  return nsecEncode(secret);
}
