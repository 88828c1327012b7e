/** What `init` writes fits the program: its types are those of the core, in both directions where authors and engine meet. */
import type * as core from "../../src/core/agent.ts";
import type { Trigger } from "../../src/core/trigger.ts";
import type * as given from "../../src/cli/template/agentd.d.ts";
import list from "../../src/cli/template/agent.ts";
import { createAgentd } from "../../src/agentd.ts";
import { memoryBackend } from "../../src/backends/memory.ts";
import { memorySigner } from "../../src/providers/signer/memory.ts";
import { agentId } from "../../src/core/id.ts";
import { callJson } from "../../src/fs/use.ts";
import type { Receipt } from "../../src/core/view.ts";
import { deepEqual, equal } from "../assert.ts";

type State = { items: string[] };

Deno.test("an author's agent is the engine's, and what it is given is what its types say", () => {
  const author = (agent: given.Agent<State>): core.Agent<State> => agent;
  const context = (ctx: core.AgentContext<State>): Omit<given.AgentContext<State>, "env"> => ctx;
  const env = (files: core.AgentEnv): given.AgentEnv => files;
  const trigger = (one: Trigger): given.Trigger => one;
  // The compiler is the judge; that it let these pass is the test.
  equal([author, context, env, trigger].length, 4);
});

Deno.test("the first agent does what it says", async () => {
  const runtime = await createAgentd({
    backend: memoryBackend(),
    signer: memorySigner(),
    agents: { list: list as core.Agent },
  });
  const id = agentId("bot");
  await runtime.create({ id, agent: "list" });
  const files = await runtime.files(id, { viewer: "operator", name: "operator" });
  const ask = async (text: string) => {
    const { envelope_id } = await callJson<Receipt>(files, "/inbox", {
      payload: { kind: "text", text },
    });
    const done = await runtime.wait(id, envelope_id, new AbortController().signal);
    return done!.replies;
  };
  deepEqual(await ask("remember milk"), [{ kind: "text", text: "1 item: milk" }]);
  deepEqual(await ask("list"), [{ kind: "text", text: "1 item: milk" }]);
  deepEqual(await ask("forget milk"), [{ kind: "text", text: "0 items: " }]);
  await runtime.stop(1000);
});
