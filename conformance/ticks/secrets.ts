/** Laws of keys: a private one does not come out, in whatever form and by whatever way. */
import { walk } from "../../src/fs/use.ts";
import { holds, same } from "../expect.ts";
import { agent, allRows, ONCE, scene } from "./scene.ts";
import type { TickLaw } from "./subject.ts";

export const secretLaws: readonly TickLaw[] = [
  {
    id: "T74",
    name: "signer_no_key_leak",
    says:
      "no private key comes out, in whatever form, by any file, answer, error, log, event, record or row, whatever the agent or an operator tries",
    async test(subject) {
      const said: string[] = [];
      const tell = async (run: () => Promise<unknown>) => {
        try {
          said.push(shown(await run()));
        } catch (error) {
          said.push(shown(error));
        }
      };
      const s = await scene(subject, {
        one: agent(async (ctx) => {
          for await (const { path, entry } of walk(ctx.env.files)) {
            await tell(() => ctx.env.stat(path));
            if (!entry.dir) await tell(() => ctx.env.read(path));
          }
          for (const [path, request] of REQUESTS) await tell(() => ctx.env.call(path, request));
          for (const path of ["/identity/secret", "/identity/nsec", "/identity/key", "/identity"]) {
            await tell(() => ctx.env.read(path));
          }
          ctx.log.info("all that I know", said.join(" "));
          ctx.state.said = said.join(" ").slice(0, 100_000);
        }),
      }, { limits: ONCE });
      holds(subject.secrets.length > 0, "keys were made");
      await s.at("one").send("go");
      const { pubkey } = await s.at("one").status();
      holds(said.some((text) => text.includes(pubkey)), "the public key was told");
      const signed = REQUESTS.length;
      holds(said.length > signed, "files were read and calls made");
      for (const [path, request] of REQUESTS) await tell(() => s.at("one").call(path, request));
      const files = await s.at("one").files();
      for await (const { path, entry } of walk(files)) {
        await tell(() => files.stat(path));
        if (!entry.dir) await tell(() => s.at("one").read(path));
      }
      await tell(() => s.info("one"));
      await s.at("one").control("hibernate");
      await s.restart("crash");
      await tell(() => s.at("one").read("/logs/trace"));
      await tell(() => s.at("one").read("/logs/trajectory"));
      const rows = await allRows(subject);
      await s.delete("one");
      for (const [path, request] of REQUESTS) await tell(() => s.at("one").call(path, request));
      said.push(...subject.errors.map(shown));
      for (const [row, value] of await allRows(subject)) rows.set(`${row} afterwards`, value);
      for (const secret of subject.secrets) {
        for (const [form, text] of Object.entries(formsOf(secret))) {
          same(said.some((each) => each.includes(text)), false, `the key was told as ${form}`);
        }
        for (const [row, value] of rows) {
          same(includes(value, secret), false, `the key's bytes stand in ${row}`);
        }
      }
      for (const [row, value] of rows) {
        const text = new TextDecoder().decode(value);
        for (const [form, key] of subject.secrets.flatMap((k) => Object.entries(formsOf(k)))) {
          same(text.includes(key), false, `the key stands as ${form} in ${row}`);
        }
      }
    },
  },
];

const X = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";

/** What is asked of `/identity`: some that work, and many that do not. */
const REQUESTS: readonly [string, string][] = [
  ["/identity/sign", "text"],
  ["/identity/sign", JSON.stringify({ kind: 1, content: "x" })],
  ["/identity/sign", JSON.stringify({ kind: 1, content: "x", tags: [[1]] })],
  ["/identity/sign", JSON.stringify({ kind: -1, content: "x" })],
  ["/identity/sign", JSON.stringify({ kind: 1, content: "x", pubkey: X })],
  ["/identity/sign", JSON.stringify({ kind: 1, content: "x", secret: true })],
  ["/identity/encrypt", JSON.stringify({ to: X, text: "x" })],
  ["/identity/encrypt", JSON.stringify({ to: "0".repeat(64), text: "x" })],
  ["/identity/encrypt", JSON.stringify({ to: "f".repeat(64), text: "x" })],
  ["/identity/encrypt", JSON.stringify({ to: X, text: "" })],
  ["/identity/decrypt", JSON.stringify({ from: X, text: "x" })],
  ["/identity/decrypt", JSON.stringify({ from: X, text: "AAAA?iv=AAAA" })],
  ["/identity/decrypt", JSON.stringify({ from: "f".repeat(64), text: "x" })],
  ["/identity/verify", JSON.stringify({ event: { sig: "x" } })],
  ["/identity/verify", "{"],
  ["/ctl", "export"],
];

/** An answer or error with all that hangs on it: its message, its stack, its causes. */
function shown(value: unknown): string {
  if (typeof value === "string") return value;
  if (value instanceof Uint8Array) return formsOf(value)["hex"]!;
  if (value === null || typeof value !== "object") return String(value);
  const { message, stack, cause, detail, extra } = value as Record<string, unknown>;
  const own = JSON.stringify(value, (_, v) => v instanceof Uint8Array ? shown(v) : v);
  const parts = [own, message, stack, detail, JSON.stringify(extra)];
  return [...parts, cause === undefined ? "" : shown(cause)].join("\n");
}

/** A secret as it might be written. */
function formsOf(secret: Uint8Array): Record<string, string> {
  const hex = Array.from(secret, (byte) => byte.toString(16).padStart(2, "0")).join("");
  const base64 = inBase64(secret);
  return {
    hex,
    "HEX": hex.toUpperCase(),
    base64: base64.replace(/=+$/, ""),
    base64url: base64.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, ""),
    nsec: inBech32("nsec", secret),
    "a list of bytes": Array.from(secret).join(","),
    "a list of bytes with spaces": Array.from(secret).join(", "),
    "an object of bytes": JSON.stringify({ ...secret }).slice(1, -1),
  };
}

const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

function inBase64(bytes: Uint8Array): string {
  let out = "";
  for (let i = 0; i < bytes.length; i += 3) {
    const [a, b = 0, c = 0] = bytes.subarray(i, i + 3);
    const n = (a! << 16) | (b << 8) | c;
    const left = bytes.length - i;
    for (let part = 0; part < 4; part++) {
      out += part <= left ? BASE64[(n >> (18 - 6 * part)) & 63] : "=";
    }
  }
  return out;
}

const BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

/** Without the checksum: what comes before it is enough to know a key by. */
function inBech32(prefix: string, bytes: Uint8Array): string {
  let bits = 0;
  let value = 0;
  let out = `${prefix}1`;
  for (const byte of bytes) {
    value = ((value << 8) | byte) & 0xfff;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      out += BECH32[(value >> bits) & 31];
    }
  }
  return out;
}

function includes(bytes: Uint8Array, part: Uint8Array): boolean {
  for (let i = 0; i + part.length <= bytes.length; i++) {
    let n = 0;
    while (n < part.length && bytes[i + n] === part[n]) n++;
    if (n === part.length) return true;
  }
  return false;
}
