/** `ls src/services` is `ls` of an agent. */
import { createAgentd } from "../../src/agentd.ts";
import { memoryBackend } from "../../src/backends/memory.ts";
import { agentId } from "../../src/core/id.ts";
import { memorySigner } from "../../src/providers/signer/memory.ts";
import { services } from "../../src/services/mod.ts";
import assert from "../assert.ts";
import { unlike } from "./mounts.ts";
import { files } from "./tree.ts";

/** What an operator sees of a fresh agent. */
async function listing(): Promise<string[]> {
  const runtime = await createAgentd({
    backend: memoryBackend(),
    signer: memorySigner(),
    agents: { idle: { name: "idle", onTrigger() {} } },
  });
  try {
    const id = agentId("abc");
    await runtime.create({ id, agent: "idle" });
    const root = await runtime.files(id, { viewer: "operator", name: "operator" });
    return (await root.list("/")).map(({ name }) => name);
  } finally {
    await runtime.stop(0);
  }
}

Deno.test("house: the rule of mounts bites", () => {
  const broken = unlike(["mod", "kv", "stray"], ["/kv", "/bare"], ["kv", "extra"]);
  assert.deepEqual(broken.map((fault) => fault.split(":")[0]), [
    "src/services/stray.ts is not mounted",
    "/bare has no file src/services/bare.ts",
    "/extra is in no mount table",
    "/bare is not in an agent's listing",
  ]);
});

Deno.test("house: ls src/services is the mount table is ls of an agent", async () => {
  const names = (await files()).flatMap((file) =>
    /^src\/services\/([^/]+)\.ts$/.exec(file)?.slice(1) ?? []
  );
  assert.deepEqual(unlike(names, Object.keys(services), await listing()), []);
});
