/** `/identity`: signs, checks, encrypts; and no key comes out by any path, error or log. */
import { finalizeEvent, generateSecretKey, getPublicKey, verifyEvent } from "nostr-tools/pure";
import * as nip44 from "nostr-tools/nip44";
import { createAgentd } from "../../src/agentd.ts";
import { memoryBackend } from "../../src/backends/memory.ts";
import { digest } from "../../src/core/code.ts";
import type { SignedEvent } from "../../src/core/provider.ts";
import { codeOf, type FileError } from "../../src/fs/error.ts";
import { call, callJson, callText, readText, walk } from "../../src/fs/use.ts";
import { memorySigner } from "../../src/providers/signer/memory.ts";
import { deepEqual, equal, match, ok, rejects } from "../assert.ts";
import { ID, inWorld } from "./world.ts";

const encoder = new TextEncoder();

inWorld(
  "an unsigned event comes back signed, filled in where it said nothing",
  async ({ files }) => {
    const pubkey = await readText(files, "/identity/pubkey");
    match(pubkey, /^[0-9a-f]{64}$/);
    match(await readText(files, "/identity/npub"), /^npub1/);
    const event = await callJson<SignedEvent>(files, "/identity/sign", { kind: 1, content: "hi" });
    deepEqual([event.pubkey, event.tags, event.created_at], [pubkey, [], 1_767_225_600]);
    ok(verifyEvent(event as never));
    const full = { kind: 1, content: "", tags: [["p", pubkey]], created_at: 5, pubkey };
    equal((await callJson<SignedEvent>(files, "/identity/sign", full)).created_at, 5);
    const bad: unknown[] = [
      { kind: 1, content: "hi", pubkey: "00".repeat(32) },
      { kind: -1, content: "" },
      { kind: 70_000, content: "" },
      { kind: 1, content: 5 },
      { kind: 1, content: "", tags: [[1]] },
      { kind: 1, content: "", created_at: "now" },
      { kind: 1, content: "", id: "00".repeat(32) },
    ];
    for (const event of bad) {
      await rejects(callJson(files, "/identity/sign", event), { code: "invalid_request" });
    }
  },
);

inWorld(
  "other bytes are hashed and signed; verify tells whether a signature is one",
  async ({ files }) => {
    const pubkey = await readText(files, "/identity/pubkey");
    const valid = async (request: unknown) =>
      (await callJson<{ valid: boolean }>(files, "/identity/verify", request)).valid;
    const sig = await callText(files, "/identity/sign", "text");
    equal(await valid({ pubkey, sig, data: "text" }), true);
    equal(await valid({ pubkey, sig, data: "other" }), false);
    equal(await valid({ pubkey, sig, hash: digest("text") }), true);
    equal(await valid({ pubkey: "00".repeat(32), sig, data: "text" }), false);
    const looksLikeEvent = '{"kind":1,"content":""}';
    const options = { type: "application/octet-stream" };
    const raw = new TextDecoder().decode(
      await call(files, "/identity/sign", encoder.encode(looksLikeEvent), options),
    );
    equal(await valid({ pubkey, sig: raw, data: looksLikeEvent }), true);
    const event = finalizeEvent(
      { kind: 1, created_at: 1, tags: [], content: "x" },
      generateSecretKey(),
    );
    equal(await valid({ event: JSON.parse(JSON.stringify(event)) }), true);
    equal(await valid({ event: { ...JSON.parse(JSON.stringify(event)), content: "y" } }), false);
    for (const bad of [{}, [], { pubkey, sig }, { pubkey, sig: "00", data: "" }, { event, sig }]) {
      await rejects(callJson(files, "/identity/verify", bad), { code: "invalid_request" });
    }
  },
);

inWorld("what is encrypted to a peer it can read, and the other way round", async ({ files }) => {
  const secret = generateSecretKey();
  const peer = getPublicKey(secret);
  const pubkey = await readText(files, "/identity/pubkey");
  const shared = nip44.getConversationKey(secret, pubkey);
  const sealed = await callJson<{ text: string }>(files, "/identity/encrypt", {
    to: peer,
    text: "true",
  });
  equal(nip44.decrypt(sealed.text, shared), "true");
  const opened = await callJson(files, "/identity/decrypt", {
    from: peer,
    text: nip44.encrypt("123", shared),
  });
  deepEqual(opened, { text: "123" });
  for (const bad of [{ from: peer, text: "nonsense" }, { from: "x", text: "x" }, { from: peer }]) {
    await rejects(callJson(files, "/identity/decrypt", bad), { code: "invalid_request" });
  }
  for (const bad of [{ to: peer, text: "" }, { to: peer.toUpperCase(), text: "x" }, "x"]) {
    await rejects(callJson(files, "/identity/encrypt", bad), { code: "invalid_request" });
  }
});

inWorld("an agent signs with its own key in its tick", async ({ tick, files }) => {
  const { replies } = await tick();
  const [signed] = replies as unknown as { data: SignedEvent }[];
  const event = signed!.data ?? signed;
  ok(verifyEvent(event as never));
  equal(event.pubkey, await readText(files, "/identity/pubkey"));
}, async (ctx) => {
  await ctx.reply(await ctx.env.call("/identity/sign", { kind: 1, content: "by the agent" }));
});

Deno.test("no secret is in any file, row, answer, error or log of an agent", async () => {
  const secret = new Uint8Array(32).map((_, i) => i * 3 + 1);
  const shapes = [
    secret.toHex(),
    secret.toBase64(),
    secret.toBase64({ alphabet: "base64url" }),
    secret.join(","),
    String.fromCharCode(...secret),
  ];
  const told: string[] = [];
  const backend = memoryBackend();
  const runtime = await createAgentd({
    backend,
    signer: memorySigner(() => secret.slice()),
    onError: (error) => told.push(Deno.inspect(error, { depth: 10 })),
  });
  await runtime.create({ id: ID, agent: "echo" });
  const files = await runtime.files(ID, { viewer: "operator", name: "op" });
  const requests = [
    "",
    "{",
    "{}",
    '{"kind":1,"content":5}',
    `{"to":"${"f".repeat(64)}","text":"x"}`,
    `{"from":"${"f".repeat(64)}","text":"${"A".repeat(200)}"}`,
  ];
  for (
    const name of [
      "pubkey",
      "npub",
      "sign",
      "verify",
      "encrypt",
      "decrypt",
      "secret",
      "key",
      "nsec",
    ]
  ) {
    for (const mode of ["read", "write", "append", "call", "watch"] as const) {
      for (const request of requests) {
        const abort = new AbortController();
        try {
          const options = { signal: abort.signal };
          const handle = await files.open(`/identity/${name}`, mode, options);
          if (mode === "watch") abort.abort();
          if (mode !== "read" && mode !== "watch") await handle.write(encoder.encode(request));
          const answer = mode === "read" || mode === "call" ? await handle.read() : undefined;
          told.push(new TextDecoder().decode(answer));
          await handle.close();
        } catch (error) {
          told.push(Deno.inspect(error, { depth: 10 }), codeOf(error));
          equal((error as FileError).name, "FileError");
        }
      }
    }
  }
  await call(files, "/inbox", "hello");
  for await (const { path, entry } of walk(files)) {
    if (!entry.dir && (await files.stat(path)).modes.includes("read")) {
      told.push(await readText(files, path));
    }
  }
  await runtime.stop(1000);
  for (const rows of backend.rows().values()) {
    for (const [at, value] of rows) told.push(at, new TextDecoder().decode(value), value.toHex());
  }
  for (const text of told) for (const shape of shapes) ok(!text.includes(shape));
  ok(told.length > 200);
});
