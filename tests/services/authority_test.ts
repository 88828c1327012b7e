/** Who may what: an agent, an operator and a local caller see the same files and may do different things with them. */
import type { AgentContext } from "../../src/core/agent.ts";
import type { MountRow, Viewer } from "../../src/core/view.ts";
import type { FileService, Mode } from "../../src/fs/file.ts";
import { codeOf } from "../../src/fs/error.ts";
import { services } from "../../src/services/mod.ts";
import { readJson, readText, writeJson, writeText } from "../../src/fs/use.ts";
import { deepEqual, equal, ok, rejects } from "../assert.ts";
import { inWorld } from "./world.ts";

const DENIED: readonly [Viewer, string, Mode][] = [
  ["local", "/inbox/overflow", "write"],
  ["local", "/mounts", "write"],
  ["local", "/identity/sign", "call"],
  ["local", "/identity/encrypt", "call"],
  ["local", "/identity/decrypt", "call"],
  ["local", "/kv/x", "write"],
];
const ALLOWED: readonly [Viewer, string, Mode][] = [
  ...DENIED.map(([, path, mode]): [Viewer, string, Mode] => ["operator", path, mode]),
  ["local", "/identity/pubkey", "read"],
  ["local", "/identity/npub", "read"],
  ["local", "/identity/verify", "call"],
  ["local", "/inbox", "call"],
  ["local", "/inbox/overflow", "read"],
  ["local", "/mounts", "read"],
  ["local", "/files/x", "write"],
  ["local", "/goals/x.json", "write"],
  ["local", "/kv/x", "read"],
  ["local", "/ctl", "call"],
];

inWorld(
  "a local caller may what needs no token, and an operator the rest",
  async ({ as, files }) => {
    await writeJson(files, "/kv/x", 1);
    for (const [viewer, path, mode] of DENIED) {
      const mine = await as(viewer);
      await rejects(mine.open(path, mode), { code: "permission_denied" }, `${viewer} ${path}`);
      ok(!(await mine.stat(path)).modes.includes(mode), `stat of ${path} tells ${mode}`);
    }
    for (const [viewer, path, mode] of ALLOWED) {
      const abort = new AbortController();
      const handle = await (await as(viewer)).open(path, mode, { signal: abort.signal });
      abort.abort();
      await handle.close().catch(() => {});
    }
    const local = await as("local");
    await rejects(local.remove("/kv/x"), { code: "permission_denied" });
    await writeJson(local, "/goals/x.json", { description: "asked for" });
    await writeText(local, "/files/x", "put there");
  },
);

inWorld("the public has no files at all", async ({ as }) => {
  const nothing = await as("public");
  deepEqual(await nothing.list("/"), []);
  for (const path of Object.keys(services)) {
    await rejects(nothing.stat(path), { code: "not_found" }, path);
  }
});

inWorld(
  "an agent cannot change its own mounts, policy, state or history",
  async ({ tick, files }) => {
    await tick();
    const codes = await readJson<Record<string, string>>(files, "/kv/codes");
    const denied = [
      "/mounts",
      "/inbox/overflow",
      "/state",
      "/status",
      "/outbox",
      "/logs/trace",
      "/identity/pubkey",
    ];
    for (const path of denied) {
      ok(["permission_denied", "not_supported"].includes(codes[path]!), `${path}: ${codes[path]}`);
    }
    equal(codes["/files/mine"], "done");
  },
  async (ctx: AgentContext) => {
    const codes: Record<string, string> = {};
    const paths = [
      "/mounts",
      "/inbox/overflow",
      "/state",
      "/status",
      "/outbox",
      "/logs/trace",
      "/identity/pubkey",
      "/files/mine",
    ];
    for (const path of paths) {
      codes[path] = await ctx.env.write(path, "[]").then(() => "done", codeOf);
    }
    await ctx.kv.set("codes", codes);
  },
);

/** What the agent may do after the operator has changed its table. */
async function codeAfter(
  files: FileService,
  table: readonly MountRow[],
  tick: () => Promise<unknown>,
) {
  await writeJson(files, "/mounts", table);
  await tick();
  return await readText(files, "/files/code");
}

inWorld(
  "the operator's table is what the agent has, from the next operation on",
  async ({ files, tick }) => {
    const table = await readJson<MountRow[]>(files, "/mounts");
    deepEqual(table.map((row) => row.path).sort(), Object.keys(services).sort());
    const set = (access: MountRow["access"]) =>
      table.map((row) => row.path === "/goals" ? { ...row, access } : row);
    equal(await codeAfter(files, set("read_only"), tick), "permission_denied");
    equal(await codeAfter(files, set("disabled"), tick), "permission_denied");
    const without = table.filter((row) => row.path !== "/goals");
    equal(await codeAfter(files, without, tick), "not_found");
    equal(await codeAfter(files, set("read_write"), tick), "done");
    equal((await readText(files, "/logs/trajectory")).split('"type":"mounts"').length, 5);
  },
  async (ctx: AgentContext) => {
    const goal = { description: "my own" };
    const code = await ctx.env.write("/goals/mine.json", goal).then(() => "done", codeOf);
    await ctx.env.write("/files/code", code);
  },
);

inWorld("a table that makes no sense is refused whole", async ({ files }) => {
  const before = await readText(files, "/mounts");
  const table = JSON.parse(before) as MountRow[];
  const bad: unknown[] = [
    {},
    [...table, table[0]],
    [...table, { path: "/wallet", access: "read_write" }],
    [{ path: "/goals", access: "anything" }],
    [{ path: "/goals", access: "sign_only" }],
    [{ path: "/goals" }],
    ["/goals"],
  ];
  for (const value of bad) {
    await rejects(writeJson(files, "/mounts", value), { code: "invalid_request" });
  }
  equal(await readText(files, "/mounts"), before);
});
