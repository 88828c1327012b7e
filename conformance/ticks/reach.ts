/** Laws of reach: what an agent's code can get at is what is mounted for it, and no key is among it. */
import type { AgentContext } from "../../src/core/agent.ts";
import { codeOf } from "../../src/fs/error.ts";
import { walk } from "../../src/fs/use.ts";
import { holds, refuses, same } from "../expect.ts";
import { agent, allRows, ONCE, scene, stage } from "./scene.ts";
import type { TickLaw } from "./subject.ts";

/** What an agent was answered: `ok`, or the code of the refusal. */
async function attempt(run: () => Promise<unknown>): Promise<string> {
  try {
    await run();
    return "ok";
  } catch (error) {
    return codeOf(error);
  }
}

/** One try of each kind of access, by name. */
async function attempts(ctx: AgentContext): Promise<Record<string, string>> {
  const { env } = ctx;
  return {
    "write /kv": await attempt(() => env.write("/kv/k", "1")),
    "read /kv": await attempt(() => env.read("/kv/k")),
    "list /kv": await attempt(() => env.list("/kv")),
    "write /files": await attempt(() => env.write("/files/f", "x")),
    "read /status": await attempt(() => env.read("/status")),
    "send by file": await attempt(() => env.write("/inbox", "x")),
    "watch trace": await attempt(async () => {
      const leave = new AbortController();
      const handle = await env.files.open("/logs/trace", "watch", { signal: leave.signal });
      leave.abort();
      await handle.close();
    }),
    "use /identity": await attempt(() => env.call("/identity/verify", { event: null })),
    "change mounts": await attempt(() => env.write("/mounts", "[]")),
    "change overflow": await attempt(() => env.write("/inbox/overflow", '{"max_depth":1}')),
  };
}

const FREE: Record<string, string> = {
  "write /kv": "ok",
  "read /kv": "ok",
  "list /kv": "ok",
  "write /files": "ok",
  "read /status": "ok",
  "send by file": "ok",
  "watch trace": "ok",
  "use /identity": "ok",
  "change mounts": "permission_denied",
  "change overflow": "permission_denied",
};

export const reachLaws: readonly TickLaw[] = [
  {
    id: "T72",
    name: "mounts_are_the_wall",
    says:
      "an agent's code reaches what is mounted for it at the access that the table says, from its create on and from each change on; the operator reaches all",
    async test(subject) {
      const answers: Record<string, string>[] = [];
      const s = await stage(subject, {
        one: agent(async (ctx, trigger) => {
          if (trigger.meta.source.kind !== "agent") answers.push(await attempts(ctx));
        }),
      });
      await s.create("one");
      await s.at("one").send("go");
      same(answers.pop(), FREE, "by default");
      await s.delete("one");
      await s.create("one", {
        mounts: { "/kv": "read_only", "/inbox": "disabled", "/identity": "disabled" },
      });
      await s.at("one").write("/kv/k", "1");
      await s.at("one").send("go");
      same(answers.pop(), {
        ...FREE,
        "write /kv": "permission_denied",
        "send by file": "permission_denied",
        "change overflow": "permission_denied",
        "use /identity": "permission_denied",
      }, "with mounts given at create");
      const table = await s.at("one").json<{ path: string; access: string }[]>("/mounts");
      const shown = Object.fromEntries(table.map(({ path, access }) => [path, access]));
      same([shown["/kv"], shown["/files"]], ["read_only", "read_write"], "the table");
      const changed = table.filter(({ path }) => path !== "/status").map(({ path, access }) => ({
        path,
        access: path === "/kv" || path === "/inbox" ? "read_write" : access,
      }));
      await refuses(
        "permission_denied",
        () => s.at("one", "ann").write("/mounts", changed),
        "a change by who is no operator",
      );
      await s.at("one").write("/mounts", changed);
      const want = { ...FREE, "read /status": "not_found", "use /identity": "permission_denied" };
      await s.at("one").send("go");
      same(answers.pop(), want, "after a change");
      await s.restart("crash");
      await s.at("one").send("go");
      same(answers.pop(), want, "after a crash");
      same((await s.at("one").status()).id, "one", "what the operator reaches");
      const bad = [{ path: "/nowhere", access: "read_only" }, { path: "/kv", access: "sign_only" }];
      for (const row of bad) {
        await refuses(
          "invalid_request",
          () => s.at("one").write("/mounts", [row]),
          JSON.stringify(row),
        );
      }
    },
  },
  {
    id: "T73",
    name: "an_agent_sees_its_own_files_alone",
    says:
      "an agent's root is the agent: it lists what is mounted, and no path leads to another agent, to the runtime's rows or to the host",
    async test(subject) {
      const seen: Record<string, unknown> = {};
      const s = await scene(subject, {
        one: agent(async (ctx) => {
          seen["root"] = (await ctx.env.list("/")).map(({ name }) => name);
          const paths = [
            "/agents/two/kv/secret",
            "/../two/kv/secret",
            "/kv/../../two",
            "/kv/secret",
          ];
          const rows = [
            "/@registry",
            "/turn",
            "/state/../turn",
            "/etc/passwd",
            "/files/../../etc/passwd",
          ];
          for (const path of [...paths, ...rows]) {
            seen[path] = await attempt(() => ctx.env.read(path));
          }
        }),
        two: agent((ctx) => ctx.kv.set("secret", "of two")),
      });
      await s.at("two").send("go");
      await s.at("one").send("go");
      const mounted = (await s.at("one").json<{ path: string }[]>("/mounts"))
        .map(({ path }) => path.slice(1));
      same(seen["root"], mounted.sort(), "the root");
      for (const [path, answer] of Object.entries(seen)) {
        if (path === "root") continue;
        holds(answer === "not_found" || answer === "invalid_path", `${path}: ${answer}`);
      }
    },
  },
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
