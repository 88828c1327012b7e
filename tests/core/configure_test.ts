/** What the operator changes of an agent: it holds at once, stands after a restart, and is told in the trajectory. */
import { createAgentd } from "../../src/agentd.ts";
import { memoryBackend } from "../../src/backends/memory.ts";
import type { Agent } from "../../src/core/agent.ts";
import { agentId } from "../../src/core/id.ts";
import type { AgentChange, Runtime } from "../../src/core/runtime.ts";
import { callJson, readText, writeJson } from "../../src/fs/use.ts";
import { hasCode } from "../../src/fs/error.ts";
import { memorySigner } from "../../src/providers/signer/memory.ts";
import { services } from "../../src/services/mod.ts";
import type { Receipt } from "../../src/core/view.ts";
import { deepEqual, equal, ok, rejects } from "../assert.ts";

const ID = agentId("bob");
const NEVER = new AbortController().signal;
const operator = { viewer: "operator", name: "operator" } as const;

/** Answers with its config, its name, and whether it may write a goal. */
const mirror: Agent = {
  name: "mirror",
  async onTrigger(ctx) {
    const wrote = await ctx.env.write("/goals/g.json", { description: "one" }).then(
      () => true,
      () => false,
    );
    await ctx.reply({ config: ctx.agent.config, name: ctx.agent.name, wrote });
  },
};

async function started(backend = memoryBackend(), signer = memorySigner()) {
  const runtime = await createAgentd({ backend, signer, agents: { mirror } });
  return { backend, signer, runtime };
}

async function asked(runtime: Runtime): Promise<unknown> {
  const files = await runtime.files(ID, operator);
  const { envelope_id } = await callJson<Receipt>(files, "/inbox", { payload: "?" });
  const done = await runtime.wait(ID, envelope_id, NEVER);
  return (done!.replies[0] as { data: unknown }).data;
}

async function told(runtime: Runtime): Promise<Record<string, unknown>[]> {
  const text = await readText(await runtime.files(ID, operator), "/logs/trajectory");
  return text.trim().split("\n").map((line) => JSON.parse(line)).filter((e) =>
    e.type === "configure"
  );
}

Deno.test("a change holds from the next tick on, is recorded, and stands after a restart", async () => {
  const { backend, signer, runtime } = await started();
  await runtime.create({ id: ID, agent: "mirror", config: { lang: "en" } });
  deepEqual(await asked(runtime), { config: { lang: "en" }, name: "bob", wrote: true });
  const before = await runtime.info(ID);
  const after = await runtime.configure(ID, {
    name: "Bob",
    config: { lang: "de" },
    limits: { max_tick_ms: 5_000, retention: { trace: 100 } },
    mounts: { "/goals": "read_only", "/logs": null },
  }, "ann");
  equal(after.limits.max_tick_ms, 5_000);
  deepEqual(after.limits.retention, { ...before.limits.retention, trace: 100 });
  equal(after.limits.idle_ms, before.limits.idle_ms, "what is left out stays");
  deepEqual(await asked(runtime), { config: { lang: "de" }, name: "Bob", wrote: false });
  const mounts = Object.fromEntries(after.mounts.map(({ path, access }) => [path, access]));
  equal(mounts["/goals"], "read_only");
  equal(mounts["/logs"], undefined);
  equal(Object.keys(mounts).length, Object.keys(services).length - 1);

  const [event, ...more] = await told(runtime);
  equal(more.length, 0);
  equal(event!.by, "ann");
  const [was, is] = [event!.before, event!.after] as Record<string, unknown>[];
  deepEqual([was!.name, is!.name, was!.config, is!.config], [
    "bob",
    "Bob",
    { lang: "en" },
    { lang: "de" },
  ]);
  await runtime.stop(1000);

  const again = await started(backend, signer);
  const { name, config, limits } = await again.runtime.info(ID);
  deepEqual([name, config, limits], ["Bob", { lang: "de" }, after.limits]);
  deepEqual(await asked(again.runtime), { config: { lang: "de" }, name: "Bob", wrote: false });
  await again.runtime.stop(1000);
});

Deno.test("what changes nothing leaves no trace of it", async () => {
  const { runtime } = await started();
  await runtime.create({ id: ID, agent: "mirror", config: { a: 1 } });
  await runtime.configure(ID, {}, "ann");
  await runtime.configure(ID, { name: "bob", config: { a: 1 }, limits: {}, mounts: {} }, "ann");
  deepEqual(await told(runtime), []);
  await runtime.stop(1000);
});

Deno.test("a change that makes no sense is refused whole", async () => {
  const { runtime } = await started();
  await runtime.create({ id: ID, agent: "mirror" });
  const before = await runtime.info(ID);
  const bad: AgentChange[] = [
    { name: "" },
    { name: "x".repeat(201) },
    { name: "ok", limits: { max_tick_ms: 0 } },
    { name: "ok", limits: { nonsense: 1 } as never },
    { name: "ok", mounts: { "/nowhere": "read_only" } },
    { name: "ok", mounts: { "/goals": "sign_only" } },
    { name: "ok", mounts: { "/goals": "everything" as never } },
  ];
  for (const change of bad) {
    const text = JSON.stringify(change).slice(0, 60);
    await rejects(
      runtime.configure(ID, change, "ann"),
      (error) => hasCode(error, "invalid_request"),
      text,
    );
  }
  await rejects(
    runtime.configure(ID, { config: "x".repeat(2_000_000) }, "ann"),
    (error) => !hasCode(error, "internal"),
  );
  await rejects(
    runtime.configure(agentId("nobody"), { name: "x" }, "ann"),
    (error) => hasCode(error, "not_found"),
  );
  deepEqual(await runtime.info(ID), before);
  deepEqual(await asked(runtime), { config: {}, name: "bob", wrote: true });
  await runtime.stop(1000);
});

Deno.test("many changes at once, with ticks between: none is lost", async () => {
  const { runtime } = await started();
  await runtime.create({ id: ID, agent: "mirror" });
  const files = await runtime.files(ID, operator);
  const paths = Object.keys(services);
  const narrow = (path: string) =>
    services[path]!.accesses?.includes("read_only") ?? true ? "read_only" : "disabled";
  const table = () => paths.map((path) => ({ path, access: narrow(path) }));
  await Promise.all([
    ...Array.from(
      { length: 20 },
      (_, i) =>
        runtime.configure(
          ID,
          { limits: { [i % 2 ? "idle_ms" : "max_tick_ms"]: 1_000 + i } },
          "ann",
        ),
    ),
    ...Array.from({ length: 20 }, () => asked(runtime)),
    runtime.configure(ID, { name: "last" }, "ann"),
    writeJson(files, "/mounts", table().filter(({ path }) => path !== "/identity")),
    runtime.configure(ID, { config: { kept: true } }, "ann"),
  ]);
  const info = await runtime.info(ID);
  equal(info.name, "last");
  deepEqual(info.config, { kept: true });
  equal(info.limits.idle_ms >= 1_000 && info.limits.idle_ms <= 1_019, true);
  ok(info.mounts.every(({ path, access }) => access === narrow(path)));
  equal((await told(runtime)).length, 22);
  await runtime.stop(1000);
});
