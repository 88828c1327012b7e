/** What becomes of a try whose commit cannot even be made up. */
import { createAgentd } from "../../src/agentd.ts";
import { memoryBackend } from "../../src/backends/memory.ts";
import type { AgentHost } from "../../src/core/host.ts";
import { agentId } from "../../src/core/id.ts";
import { callJson, readJson } from "../../src/fs/use.ts";
import { memorySigner } from "../../src/providers/signer/memory.ts";
import { deepEqual, equal } from "../assert.ts";

const ID = agentId("a");
const NEVER = new AbortController().signal;

Deno.test("a result of which no record can be made is a failed try, and the next message is ticked", async () => {
  const backend = memoryBackend();
  let state = "this is no JSON";
  const moduleHost: AgentHost = {
    start: () =>
      Promise.resolve({
        name: "odd",
        version: 1,
        hooks: ["onTrigger"],
        alive: true,
        run: ({ hook }) =>
          Promise.resolve({
            state: hook === "onTrigger" ? state : "{}",
            should_hibernate: false,
            pending: false,
          }),
        stop: () => Promise.resolve(),
      }),
  };
  const errors: unknown[] = [];
  const runtime = await createAgentd({
    backend,
    signer: memorySigner(),
    moduleHost,
    onError: (error) => errors.push(error),
  });
  await runtime.create({ id: ID, agent: { code: "export default {}" }, limits: { retry_ms: [] } });
  const files = await runtime.files(ID, { viewer: "operator", name: "test" });
  const send = async (text: string) => {
    const { envelope_id } = await callJson<{ envelope_id: never }>(files, "/inbox", text);
    return await runtime.wait(ID, envelope_id, NEVER);
  };
  const bad = await send("one");
  deepEqual([bad?.tick.success, bad?.tick.error?.code], [false, "agent_error"]);
  state = '{"n":1}';
  const good = await send("two");
  equal(good?.tick.success, true);
  deepEqual(await readJson(files, "/state"), { n: 1 });
  deepEqual(errors, []);
  await runtime.stop(0);
});
