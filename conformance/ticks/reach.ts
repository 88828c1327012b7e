/** Laws of reach: what an agent's code can get at is what is mounted for it. */
import type { AgentContext } from "../../src/core/agent.ts";
import { codeOf } from "../../src/fs/error.ts";
import { holds, refuses, same } from "../expect.ts";
import { agent, scene, stage } from "./scene.ts";
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
];
