/** Runs what hostile code tries against a host, whatever way its processes are started. */
import assert from "../assert.ts";
import { DEFAULT_LIMITS, type Limits } from "../../src/core/agent.ts";
import type { AgentHost, AgentInstance } from "../../src/core/host.ts";
import { attackerOf, ATTEMPTS, CANARY, SECRET, type Targets } from "./escapes.ts";
import { makePort, makeRun, type PortRecord } from "./port.ts";

export const moduleOf = (source: string) => ({
  kind: "module" as const,
  digest: "d".repeat(64),
  source: () => Promise.resolve(new TextEncoder().encode(source)),
});

/** An agent whose handler is `body`, which sees `ctx` and `trigger`. */
export const handlerOf = (body: string, before = "") =>
  `${before}\nexport default { name: "a", async onTrigger(ctx, trigger) { ${body} } };`;

export const limitsOf = (limits: Partial<Limits> = {}): Limits => ({
  ...DEFAULT_LIMITS,
  ...limits,
});

/** Starts an agent with this handler and runs it once. */
export async function runOnce(
  host: AgentHost,
  source: string,
  limits: Partial<Limits> = {},
  port: PortRecord = makePort(),
) {
  const instance = await host.start(moduleOf(source), limitsOf(limits));
  try {
    const result = await instance.run(makeRun(), port);
    return { port, result, state: JSON.parse(result.state) };
  } finally {
    await instance.stop();
  }
}

/** Makes the attempts of one group; throws if one of them got anything. */
export async function attempt(host: AgentHost, group: string): Promise<void> {
  const targets = await makeTargets();
  const listener = Deno.listen({ port: targets.port, hostname: "127.0.0.1" });
  let visitors = 0;
  const accepting = (async () => {
    for await (const visitor of listener) {
      visitors++;
      visitor.close();
    }
  })();
  try {
    Deno.env.set("AGENTD_CANARY", CANARY);
    const came = await outcomes(host, attackerOf(ATTEMPTS[group]!, targets));
    for (const [name, what] of Object.entries(came)) {
      assert.ok(!what.startsWith("ESCAPED"), `${name}: ${what}`);
      assert.ok(!what.includes(SECRET) && !what.includes(CANARY), `${name} tells: ${what}`);
    }
    const endsHook = /in a way that ends the hook/.test(group);
    assert.equal(Object.keys(came).length, endsHook ? 0 : Object.keys(ATTEMPTS[group]!).length);
    assert.equal(visitors, 0);
    await assert.rejects(Deno.lstat(targets.newFile), Deno.errors.NotFound);
    assert.equal(await Deno.readTextFile(targets.secretFile), SECRET);
  } finally {
    listener.close();
    await accepting;
    await Deno.remove(targets.dir, { recursive: true });
  }
}

/** What each attempt came to; nothing if the refusal of one of them ended the hook. */
async function outcomes(host: AgentHost, source: string): Promise<Record<string, string>> {
  try {
    const { port } = await runOnce(host, source);
    return port.calls[0]![1] as Record<string, string>;
  } catch (error) {
    assert.match(String(error), /agent_error \(NotCapable: /);
    return {};
  }
}

async function makeTargets(): Promise<Targets & { readonly dir: string }> {
  const dir = await Deno.makeTempDir();
  // For everybody, so that a refusal is the wall's and not the file system's.
  await Deno.chmod(dir, 0o777);
  const free = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const { port } = free.addr as Deno.NetAddr;
  free.close();
  const targets = {
    dir,
    secretFile: `${dir}/secret`,
    secretModule: `${dir}/secret.js`,
    secretJson: `${dir}/secret.json`,
    newFile: `${dir}/new`,
    port,
  };
  await Deno.writeTextFile(targets.secretFile, SECRET);
  await Deno.writeTextFile(targets.secretModule, `export default ${JSON.stringify(SECRET)};`);
  await Deno.writeTextFile(targets.secretJson, JSON.stringify({ secret: SECRET }));
  return targets;
}

/** The agent is whole and its process answers. */
export async function works(instance: AgentInstance): Promise<void> {
  const port = makePort();
  await instance.run(makeRun(), port);
  assert.equal(port.calls[0]?.[0], "reply");
}
