/** `/identity/`: the agent's key as files that sign and encrypt with it. The key itself is no file. */
import { sha256 } from "@noble/hashes/sha2.js";
import { hexToBytes } from "@noble/hashes/utils.js";
import { z } from "zod";
import type { UnsignedEvent } from "../core/provider.ts";
import type { AgentView, ServiceFactory } from "../core/view.ts";
import { dir, file, type Node, refusal, tree } from "../fs/tree.ts";
import { fitting, JSON_TYPE, jsonOf } from "./common/json.ts";

/** Of one request. */
const MAX_REQUEST_BYTES = 1024 * 1024;
const TEXT_TYPE = "text/plain; charset=utf-8";
/** Bytes that are no event, whatever they look like. */
const RAW_TYPE = "application/octet-stream";
/** A caller without a token may look, and check signatures. */
const OWNERS = { call: ["agent", "operator"] };

export const identity: ServiceFactory = (view) => {
  const { id, signer } = view;
  return tree(
    dir({
      pubkey: file({
        type: TEXT_TYPE,
        about: "the public key, 64 hex digits",
        read: () => signer.pubkey(id),
      }),
      npub: file({
        type: TEXT_TYPE,
        about: "the public key as NIP-19 writes it",
        read: async () => signer.npub(await signer.pubkey(id)),
      }),
      sign: sign(view),
      verify: verify(view),
      encrypt: file({
        about: "{ to: public key, text } → { text: encrypted by NIP-44 }",
        type: JSON_TYPE,
        maxBytes: MAX_REQUEST_BYTES,
        only: OWNERS,
        async call(request) {
          const { to, text } = fitting(encryptSchema, jsonOf(request, ENCRYPT_HINT));
          return JSON.stringify({ text: await signer.encrypt(id, to, text) });
        },
      }),
      decrypt: file({
        about: "{ from: public key, text: NIP-44, or NIP-04 of old } → { text }",
        type: JSON_TYPE,
        maxBytes: MAX_REQUEST_BYTES,
        only: OWNERS,
        async call(request) {
          const { from, text } = fitting(decryptSchema, jsonOf(request, DECRYPT_HINT));
          return JSON.stringify({ text: await signer.decrypt(id, from, text) });
        },
      }),
    }),
    view.viewer,
  );
};

const hex32 = z.string().regex(/^[0-9a-f]{64}$/, "64 lower-case hex digits");
const hex64 = z.string().regex(/^[0-9a-f]{128}$/, "128 lower-case hex digits");
const encryptSchema = z.strictObject({ to: hex32, text: z.string().min(1) });
const decryptSchema = z.strictObject({ from: hex32, text: z.string().min(1) });
const ENCRYPT_HINT = "it takes { to, text }";
const DECRYPT_HINT = "it takes { from, text }";

const MAX_KIND = 65_535;
const eventSchema = z.strictObject({
  kind: z.int().min(0).max(MAX_KIND),
  content: z.string(),
  tags: z.array(z.array(z.string())).default([]),
  created_at: z.int().min(0).optional(),
  pubkey: hex32.optional(),
});

function sign(view: AgentView): Node {
  const { id, signer } = view;
  return file({
    about: "an unsigned event (JSON with kind and content) → the signed event; any other bytes " +
      "are hashed with SHA-256 and the signature over that is answered, 128 hex digits",
    maxBytes: MAX_REQUEST_BYTES,
    only: OWNERS,
    async call(request, { type }) {
      const event = type === RAW_TYPE ? undefined : eventIn(request);
      if (!event) return await signer.signHash(id, sha256(request));
      return JSON.stringify(await signer.signEvent(id, await completed(view, event)));
    },
  });
}

/** An object with `kind` and `content`; undefined: bytes to be hashed. */
function eventIn(request: Uint8Array): unknown {
  try {
    const value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(request));
    const isEvent = typeof value === "object" && value !== null && !Array.isArray(value) &&
      Object.hasOwn(value, "kind") && Object.hasOwn(value, "content");
    return isEvent ? value : undefined;
  } catch {
    return undefined;
  }
}

async function completed(view: AgentView, value: unknown): Promise<UnsignedEvent> {
  const { pubkey, created_at, kind, tags, content } = fitting(eventSchema, value);
  if (pubkey !== undefined && pubkey !== await view.signer.pubkey(view.id)) {
    throw refusal("invalid_request", "pubkey: it is another's; leave it out, or say this agent's");
  }
  return { kind, tags, content, created_at: created_at ?? Math.floor(view.now() / 1000) };
}

const verifySchema = z.union([
  z.strictObject({ event: z.json() }),
  z.strictObject({ pubkey: hex32, sig: hex64, hash: hex32 }),
  z.strictObject({ pubkey: hex32, sig: hex64, data: z.string() }),
], "it takes { event }, { pubkey, sig, data } or { pubkey, sig, hash }, in lower-case hex");

function verify({ signer }: AgentView): Node {
  return file({
    type: JSON_TYPE,
    about: "{ event }, or { pubkey, sig, data: text } or { pubkey, sig, hash } → { valid }",
    maxBytes: MAX_REQUEST_BYTES,
    async call(request) {
      const asked = fitting(verifySchema, jsonOf(request, "it takes { event } or { pubkey, sig }"));
      if ("event" in asked) return answer(await signer.verifyEvent(asked.event));
      const hash = "hash" in asked ? hexToBytes(asked.hash) : hashOf(asked.data);
      return answer(await signer.verifyHash(asked.pubkey, hash, asked.sig));
    },
  });
}

function hashOf(text: string): Uint8Array {
  return sha256(new TextEncoder().encode(text));
}

function answer(valid: boolean): string {
  return JSON.stringify({ valid });
}
