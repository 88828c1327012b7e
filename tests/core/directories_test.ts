/** Directories of the host among an agent's mounts: who may what, who is told what, and that every change holds at once. */
import { createAgentd } from "../../src/agentd.ts";
import { type MemoryBackend, memoryBackend } from "../../src/backends/memory.ts";
import type { Agent } from "../../src/core/agent.ts";
import { agentId } from "../../src/core/id.ts";
import type { DirectoryMount } from "../../src/core/provider.ts";
import type { CreateRequest, Principal, Runtime } from "../../src/core/runtime.ts";
import type { MountRow, Receipt } from "../../src/core/view.ts";
import { codeOf } from "../../src/fs/error.ts";
import type { FileService } from "../../src/fs/file.ts";
import { callJson, readJson, readText, writeJson, writeText } from "../../src/fs/use.ts";
import { localDirectories } from "../../src/providers/directory/provider.ts";
import { memorySigner } from "../../src/providers/signer/memory.ts";
import { deepEqual, doesNotMatch, equal, match, ok, rejects } from "../assert.ts";

const ID = agentId("a");
const NEVER = new AbortController().signal;

/** Does what its message says, and answers with the code of the refusal or with what it read. */
const hand: Agent = {
  name: "hand",
  async onTrigger(ctx, trigger) {
    if (trigger.type !== "message") return;
    const [verb, path, text] = trigger.text.split(" ");
    const done = async () => {
      if (verb === "read") return await ctx.env.read(path!);
      if (verb === "list") return (await ctx.env.list(path!)).map((e) => e.name).join(" ");
      await ctx.env.write(path!, text ?? "");
      if (verb === "fail") throw new Error("after the write");
      return "written";
    };
    if (verb === "fail") return void await done();
    await ctx.reply(await done().catch((error) => `${codeOf(error)}: ${error.message}`));
  },
};

interface Scene {
  readonly host: string;
  readonly backend: MemoryBackend;
  readonly runtime: Runtime;
  readonly files: FileService;
  as(principal: Principal): Promise<FileService>;
  /** What the agent answers. */
  ask(text: string): Promise<string>;
  mount(access: DirectoryMount["access"], more?: Partial<DirectoryMount>): DirectoryMount;
  create(mounts: CreateRequest["mounts"]): Promise<void>;
}

function inScene(name: string, run: (scene: Scene) => Promise<void>): void {
  Deno.test(name, async () => {
    const host = await Deno.realPath(await Deno.makeTempDir());
    await Deno.writeTextFile(`${host}/f`, "of the host");
    const backend = memoryBackend();
    const runtime = await start(backend);
    const as = (principal: Principal) => runtime.files(ID, principal);
    const operator: Principal = { viewer: "operator", name: "operator" };
    const files = new Proxy({} as FileService, {
      get: (_, verb: keyof FileService) => async (...args: never[]) =>
        await ((await as(operator))[verb] as (...args: never[]) => Promise<unknown>)(...args),
    });
    try {
      await run({
        host,
        backend,
        runtime,
        files,
        as,
        async ask(text) {
          const receipt = await callJson<Receipt>(files, "/inbox", text);
          const waited = await runtime.wait(ID, receipt.envelope_id, NEVER);
          const [reply] = waited!.replies as { text: string }[];
          return reply?.text ?? JSON.stringify(waited!.tick);
        },
        mount: (access, more) => ({ type: "dir", path: host, access, ...more }),
        async create(mounts) {
          await runtime.create({
            id: ID,
            agent: "hand",
            limits: { retry_ms: [] },
            ...(mounts ? { mounts } : {}),
          });
        },
      });
    } finally {
      await runtime.stop(1000);
      await Deno.remove(host, { recursive: true }).catch(() => {});
    }
  });
}

function start(backend: MemoryBackend, withDirectories = true): Promise<Runtime> {
  return createAgentd({
    backend,
    signer: memorySigner(),
    agents: { hand },
    ...(withDirectories ? { directories: localDirectories() } : {}),
  });
}

inScene("a directory that is mounted to be read is read, and not written by anybody", async (s) => {
  await s.create({ "/repo": s.mount("read_only") });
  equal(await s.ask("read /repo/f"), "of the host");
  match(await s.ask("list /"), /\brepo\b/);
  match(await s.ask("write /repo/g x"), /^permission_denied/);
  await rejects(writeText(s.files, "/repo/g", "x"), { code: "permission_denied" });
  await rejects(s.files.remove("/repo/f"), { code: "permission_denied" });
  deepEqual((await s.files.stat("/repo/f")).modes, ["read", "watch"]);
  deepEqual((await s.files.list("/repo")).map((e) => e.name), ["f"]);
});

inScene("what an agent writes there stays, whatever becomes of its tick", async (s) => {
  await s.create({ "/repo": s.mount("read_write") });
  equal(await s.ask("write /repo/new/g hello"), "written");
  equal(await Deno.readTextFile(`${s.host}/new/g`), "hello");
  match(await s.ask("fail /repo/h kept"), /after the write/);
  equal(await Deno.readTextFile(`${s.host}/h`), "kept");
  match((await s.files.stat("/repo/h")).about!, /no part of a tick/);
});

inScene("a local caller reads what an operator may write; the public has nothing", async (s) => {
  await s.create({ "/repo": s.mount("read_write") });
  const local = await s.as({ viewer: "local", name: "local" });
  equal(await readText(local, "/repo/f"), "of the host");
  await rejects(writeText(local, "/repo/f", "x"), { code: "permission_denied" });
  ok(!(await local.stat("/repo/f")).modes.includes("write"));
  await writeText(s.files, "/repo/f", "of the operator");
  equal(await readText(local, "/repo/f"), "of the operator");
  const none = await s.as({ viewer: "public", name: "public" });
  await rejects(none.stat("/repo/f"), { code: "not_found" });
});

inScene("where a directory is on the host is told to operators and to nobody else", async (s) => {
  await s.create({ "/repo": s.mount("read_write", { hidden: ["*.key"] }) });
  const own = (rows: MountRow[]) => rows.find(({ path }) => path === "/repo");
  deepEqual(own(await readJson(s.files, "/mounts")), {
    path: "/repo",
    service: "dir",
    access: "read_write",
    type: "dir",
    host_path: s.host,
    hidden: ["*.key"],
  });
  const shown = { path: "/repo", service: "dir", access: "read_write", type: "dir" };
  deepEqual(own(JSON.parse(await s.ask("read /mounts"))), shown);
  const reader = { agents: "*", can: "read" } as const;
  for (
    const principal of [
      { viewer: "local", name: "local" },
      { viewer: "operator", name: "reader", grant: reader },
    ] as const
  ) deepEqual(own(await readJson(await s.as(principal), "/mounts")), shown);
  deepEqual(own([...(await s.runtime.info(ID)).mounts]), shown);

  await s.runtime.configure(ID, { mounts: { "/repo": s.mount("read_only") } }, "operator");
  const told = [await s.ask("read /repo/no"), await s.ask("write /repo/f x")];
  await Deno.rename(s.host, `${s.host}.moved`);
  told.push(await s.ask("read /repo/f"), await s.ask("list /repo"));
  await Deno.rename(`${s.host}.moved`, s.host);
  for (const path of ["/logs/trajectory", "/logs/trace", "/logs/recent", "/status", "/outbox"]) {
    told.push(await readText(s.files, path), await s.ask(`read ${path}`));
  }
  for (const text of told) doesNotMatch(text, new RegExp(s.host.split("/").at(-1)!));
});

inScene("a mount that is taken away is gone at once, for open handles too", async (s) => {
  await s.create({ "/repo": s.mount("read_write") });
  const reading = await s.files.open("/repo/f", "read");
  const watching = await s.files.open("/repo", "watch");
  const writing = await s.files.open("/repo/late", "write");
  await writing.write(new TextEncoder().encode("too late"));
  const event = watching.read();
  const table = await readJson<MountRow[]>(s.files, "/mounts");
  await writeJson(s.files, "/mounts", table.filter(({ path }) => path !== "/repo"));
  await rejects(event, { code: "not_found" });
  await rejects(reading.read(), { code: "not_found" });
  await rejects(writing.close(), { code: "not_found" });
  await watching.close();
  await reading.close();
  match(await s.ask("read /repo/f"), /^not_found/);
  deepEqual((await Array.fromAsync(Deno.readDir(s.host))).map((e) => e.name), ["f"]);

  await writeJson(s.files, "/mounts", table);
  equal(await s.ask("read /repo/f"), "of the host");
  await s.runtime.configure(ID, { mounts: { "/repo": null } }, "operator");
  match(await s.ask("read /repo/f"), /^not_found/);
  ok(!(await s.ask("list /")).includes("repo"));
});

inScene(
  "another access holds at once; a disabled directory only shows that it is there",
  async (s) => {
    await s.create({ "/repo": s.mount("read_write") });
    equal(await s.ask("write /repo/g 1"), "written");
    await s.runtime.configure(ID, { mounts: { "/repo": s.mount("read_only") } }, "operator");
    match(await s.ask("write /repo/g 2"), /^permission_denied/);
    equal(await s.ask("read /repo/g"), "1");
    await s.runtime.configure(ID, { mounts: { "/repo": s.mount("disabled") } }, "operator");
    match(await s.ask("read /repo/g"), /^permission_denied/);
    match(await s.ask("list /repo"), /^permission_denied/);
    match(await s.ask("list /"), /\brepo\b/);
    await rejects(readText(s.files, "/repo/g"), { code: "permission_denied" });
  },
);

inScene("a directory is mounted beside the services, under a path that can be one", async (s) => {
  await s.create({ "/repo": s.mount("read_only"), "/deep/er/dir": s.mount("read_only") });
  equal(await s.ask("read /deep/er/dir/f"), "of the host");
  for (
    const path of ["/", "/kv", "/files/repo", "/mounts/x", "/send", "repo", "/a/../b", "/a//b"]
  ) {
    await rejects(
      s.runtime.configure(ID, { mounts: { [path]: s.mount("read_only") } }, "operator"),
      ({ code }: { code: string }) => ["invalid_request", "invalid_path"].includes(code),
      path,
    );
  }
  const many = Object.fromEntries(
    Array.from({ length: 33 }, (_, i) => [`/m${i}`, s.mount("read_only")]),
  );
  await rejects(s.runtime.configure(ID, { mounts: many }, "operator"), { code: "invalid_request" });
  for (const access of ["sign_only", "all"]) {
    const mount = s.mount(access as "read_only");
    await rejects(s.runtime.configure(ID, { mounts: { "/x": mount } }, "operator"), {
      code: "invalid_request",
    });
  }
  equal((await s.runtime.info(ID)).mounts.filter(({ type }) => type === "dir").length, 2);
});

inScene("an agent whose directory cannot be mounted is not made", async (s) => {
  await rejects(s.create({ "/repo": s.mount("read_only", { path: `${s.host}/nothing` }) }), {
    code: "not_found",
  });
  await rejects(s.create({ "/repo": s.mount("read_only", { path: `${s.host}/f` }) }), {
    code: "not_directory",
  });
  await rejects(s.create({ "/repo": s.mount("read_only", { hidden: [".."] }) }), {
    code: "invalid_request",
  });
  deepEqual(await s.runtime.list({}), []);
  await s.create({ "/repo": s.mount("read_only") });
});

inScene("what is mounted already is not asked for again when another mount changes", async (s) => {
  await s.create({ "/repo": s.mount("read_only") });
  await Deno.rename(s.host, `${s.host}.moved`);
  const table = await readJson<MountRow[]>(s.files, "/mounts");
  await writeJson(
    s.files,
    "/mounts",
    table.map((row) => row.path === "/kv" ? { ...row, access: "read_only" } : row),
  );
  match(await s.ask("read /repo/f"), /^not_found/);
  match(await s.ask("write /kv/x 1"), /^permission_denied/);
  await Deno.rename(`${s.host}.moved`, s.host);
  equal(await s.ask("read /repo/f"), "of the host");
});

inScene(
  "the next start has the same directories; one that gives none has none of them",
  async (s) => {
    await s.create({ "/repo": s.mount("read_write") });
    await s.runtime.stop(1000);
    for (const [gives, want] of [[true, "of the host"], [false, "not_found"]] as const) {
      const runtime = await start(s.backend, gives);
      const files = await runtime.files(ID, { viewer: "operator", name: "operator" });
      equal(await readText(files, "/repo/f").catch(codeOf), want);
      if (!gives) {
        const other = { "/other": s.mount("read_only") };
        await rejects(runtime.configure(ID, { mounts: other }, "operator"), {
          code: "not_supported",
        });
      }
      await runtime.stop(1000);
    }
  },
);

inScene("an imported agent has no directory until an operator mounts it", async (s) => {
  await s.create({ "/repo": s.mount("read_write") });
  const file = await s.runtime.exportAgent(ID);
  await s.runtime.importAgent(file, { id: agentId("b"), mode: "clone" });
  const files = await s.runtime.files(agentId("b"), { viewer: "operator", name: "operator" });
  await rejects(readText(files, "/repo/f"), { code: "not_found" });
  equal(await readText(s.files, "/repo/f"), "of the host");
});
