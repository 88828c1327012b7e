/** Keys: BIP-340 by the standard's own vectors, NIP-44 and NIP-04 against nostr-tools as the peer, and nothing secret in any answer or error. */
import { finalizeEvent, generateSecretKey, getPublicKey } from "nostr-tools/pure";
import * as nip04 from "nostr-tools/nip04";
import * as nip44 from "nostr-tools/nip44";
import * as nip49 from "nostr-tools/nip49";
import { decode } from "nostr-tools/nip19";
import { agentId } from "../../src/core/id.ts";
import { FileError } from "../../src/fs/error.ts";
import { memorySigner } from "../../src/providers/signer/memory.ts";
import { bytesOf, hexOf } from "../../src/providers/signer/nostr.ts";
import { deepEqual, equal, notEqual, ok, rejects } from "../assert.ts";
import { BIP340 } from "./bip340.ts";

const a = agentId("a");
const b = agentId("b");
const HASH = new Uint8Array(32).fill(7);
const EVENT = { kind: 1, created_at: 1_700_000_000, tags: [["t", "x"]], content: "hello" };

Deno.test("BIP-340: every vector of the standard is judged as the standard says", async () => {
  const signer = memorySigner();
  for (const { pubkey, message, sig, valid } of BIP340) {
    equal(await signer.verifyHash(pubkey, bytesOf(message), sig), valid, `${pubkey} ${sig}`);
  }
});

Deno.test("BIP-340: the secrets of the vectors give their public keys and good signatures", async () => {
  for (const vector of BIP340) {
    if (!("secret" in vector)) continue;
    const signer = memorySigner(() => bytesOf(vector.secret));
    equal(await signer.create(a), vector.pubkey);
    const sig = await signer.signHash(a, bytesOf(vector.message));
    ok(await signer.verifyHash(vector.pubkey, bytesOf(vector.message), sig));
  }
});

Deno.test("a key is made once, and is gone when it is destroyed", async () => {
  const signer = memorySigner();
  const pubkey = await signer.create(a);
  equal(await signer.create(a), pubkey);
  equal(await signer.pubkey(a), pubkey);
  notEqual(await signer.create(b), pubkey);
  deepEqual(decode(signer.npub(pubkey) as `npub1${string}`), { type: "npub", data: pubkey });
  await signer.destroy(a);
  await signer.destroy(a);
  await rejects(signer.pubkey(a), { code: "not_found" });
  await rejects(signer.signHash(a, HASH), { code: "not_found" });
  notEqual(await signer.create(a), pubkey);
});

Deno.test("random bytes that are no key are not taken for one", async () => {
  const zeros = new Uint8Array(32);
  const good = new Uint8Array(32).fill(1);
  const given = [zeros, new Uint8Array(32).fill(255), good];
  const signer = memorySigner(() => given.shift()!);
  equal(await signer.create(a), getPublicKey(good));
});

Deno.test("an event is signed whole, and one changed byte breaks it", async () => {
  const signer = memorySigner();
  await signer.create(a);
  const event = await signer.signEvent(a, EVENT);
  const json = JSON.parse(JSON.stringify(event));
  equal(json.pubkey, await signer.pubkey(a));
  ok(await signer.verifyEvent(json));
  for (
    const change of [{ content: "hell0" }, { kind: 2 }, { tags: [] }, { sig: "00".repeat(64) }]
  ) {
    equal(await signer.verifyEvent({ ...json, ...change }), false);
  }
  for (const none of [null, 1, "x", [], {}, { id: 1, sig: 2 }]) {
    equal(await signer.verifyEvent(none), false);
  }
  const peers = finalizeEvent({ ...EVENT, tags: [] }, generateSecretKey());
  ok(await signer.verifyEvent(JSON.parse(JSON.stringify(peers))));
});

Deno.test("NIP-44 and NIP-04 are understood by a peer and from a peer", async () => {
  const signer = memorySigner();
  const pubkey = await signer.create(a);
  const peerSecret = generateSecretKey();
  const peer = getPublicKey(peerSecret);
  const shared = nip44.getConversationKey(peerSecret, pubkey);
  for (const text of ["x", "grüße 🌍", "long ".repeat(20_000)]) {
    equal(nip44.decrypt(await signer.encrypt(a, peer, text), shared), text);
    equal(await signer.decrypt(a, peer, nip44.encrypt(text, shared)), text);
  }
  equal(await signer.decrypt(a, peer, nip04.encrypt(peerSecret, pubkey, "old")), "old");
});

Deno.test("what cannot be encrypted or decrypted is refused, without a library's words", async () => {
  const secret = new Uint8Array(32).fill(1);
  const signer = memorySigner(() => secret);
  await signer.create(a);
  const peer = await signer.pubkey(a);
  const off = BIP340.find((v) => "about" in v && v.about === "public key not on the curve")!.pubkey;
  const tries: (() => Promise<unknown>)[] = [
    () => signer.encrypt(a, off, "x"),
    () => signer.encrypt(a, "npub1", "x"),
    () => signer.encrypt(a, peer, ""),
    () => signer.decrypt(a, peer, "nonsense"),
    () => signer.decrypt(a, peer, "nonsense?iv=nonsense"),
    () => signer.decrypt(a, off, "A".repeat(200)),
    () => signer.signHash(a, new Uint8Array(31)),
    () => signer.signEvent(a, { ...EVENT, content: 5 as unknown as string }),
  ];
  for (const attempt of tries) {
    const error = await attempt().then(() => undefined, (error) => error);
    ok(error instanceof FileError, String(attempt));
    equal(error.code, "invalid_request", String(attempt));
    equal(error.cause, undefined);
    const told = `${error.message} ${error.stack} ${JSON.stringify(error)}`;
    ok(!told.includes(hexOf(secret)) && !told.includes(secret.join(",")));
  }
});

Deno.test("a key leaves under a passphrase, and comes back with it alone", async () => {
  const signer = memorySigner();
  const pubkey = await signer.create(a);
  const ncryptsec = await signer.exportKey(a, "correct horse");
  ok(ncryptsec.startsWith("ncryptsec1"));
  notEqual(await signer.exportKey(a, "correct horse"), ncryptsec);
  equal(getPublicKey(nip49.decrypt(ncryptsec, "correct horse")), pubkey);
  const other = memorySigner();
  await other.create(a);
  equal(await other.importKey(a, ncryptsec, "correct horse"), pubkey);
  equal(await other.pubkey(a), pubkey);
  const before = await other.create(b);
  const changed = ncryptsec.slice(0, -1) + (ncryptsec.endsWith("q") ? "p" : "q");
  const refused: [string, string][] = [
    [ncryptsec, "wrong horse"],
    [ncryptsec, ""],
    [changed, "correct horse"],
    ["ncryptsec1", "x"],
    [signer.npub(pubkey), "x"],
    [nip49.encrypt(new Uint8Array(32), "x"), "x"],
  ];
  for (const [text, passphrase] of refused) {
    const error = await other.importKey(b, text, passphrase).then(() => undefined, (e) => e);
    equal(error?.code, "invalid_request", `${text} ${passphrase}`);
    equal(error.cause, undefined);
  }
  equal(await other.pubkey(b), before);
  await rejects(signer.exportKey(a, ""), { code: "invalid_request" });
  await rejects(signer.exportKey(b, "x"), { code: "not_found" });
});

Deno.test("a key whose opening would cost gigabytes is refused before it is opened", async () => {
  // The head of one with a cost of 2^30; nobody could have made the rest.
  const head = [2, 30].map((byte) => byte.toString(2).padStart(8, "0")).join("").padEnd(20, "0");
  const words = head.match(/.{5}/g)!.map((bits) =>
    "qpzry9x8gf2tvdw0s3jn54khce6mua7l"[parseInt(bits, 2)]
  );
  const costly = `ncryptsec1${words.join("")}${"q".repeat(150)}`;
  await rejects(memorySigner().importKey(a, costly, "x"), {
    code: "invalid_request",
    message: /2\^18/,
  });
});

Deno.test("a signing service holds no key that anybody could reach through it", async () => {
  const secret = new Uint8Array(32).fill(1);
  const signer = memorySigner(() => secret);
  await signer.create(a);
  const seen = Deno.inspect(signer, { depth: 10, showHidden: true, getters: true });
  ok(!seen.includes(hexOf(secret)) && !seen.includes("1, 1, 1, 1"));
  ok(Object.values(signer).every((value) => typeof value === "function"));
});
