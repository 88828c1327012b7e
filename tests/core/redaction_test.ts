/** A secret that an agent, its sender or a provider says is in nothing that is told or kept of it: traces, records, errors, dead letters, events, replies, results. */
import { createAgentd } from "../../src/agentd.ts";
import { memoryBackend } from "../../src/backends/memory.ts";
import { agentId } from "../../src/core/id.ts";
import { openSecrets } from "../../src/core/secrets.ts";
import type { ServiceMount } from "../../src/core/view.ts";
import { callText, readText } from "../../src/fs/use.ts";
import { file, tree } from "../../src/fs/tree.ts";
import { memorySigner } from "../../src/providers/signer/memory.ts";
import { deepEqual, equal, match, ok } from "../assert.ts";
import { memorySecrets } from "./memory_secrets.ts";

const ID = agentId("a");
const VALUE = "value-of-the-secret";
const NEVER = new AbortController().signal;

/** Something outside that says what it was told: at once, or as a job that streams, ends or fails. */
const outside: ServiceMount = {
  access: "read_write",
  jobs: {
    async run(run) {
      const { fails } = await run.input() as { fails: boolean };
      await run.asking();
      await run.emit({ delta: VALUE });
      if (fails) throw new Error(`it said ${VALUE}`);
      return { result: { said: VALUE }, costMicroUsd: 0 };
    },
  },
  service: (view) =>
    tree(
      file({
        call: async (data) => {
          const word = new TextDecoder().decode(data);
          const order = { mount: "/outside", path: "/outside", request: { word } };
          const free = { maxCostMicroUsd: 0, reason: word };
          const answer = word === "now"
            ? await view.outside.perform(
              order,
              () => Promise.resolve(free),
              () => Promise.resolve({ answer: { said: VALUE }, costMicroUsd: 0 }),
            )
            : await view.outside.submit(order, () =>
              Promise.resolve({
                ...free,
                data: {},
                input: { fails: word === "fails" },
                notify: true,
                timeoutMs: 0,
                answer: (id) => id,
              }));
          return JSON.stringify(answer);
        },
      }),
      view.viewer,
    ),
};

Deno.test("redaction: what is told and kept of an agent tells no known secret", async () => {
  const backend = memoryBackend();
  const secrets = await openSecrets(memorySecrets(), backend.now);
  await secrets.set("KEY", { value: VALUE, mounts: ["/outside"] });
  const errors: unknown[] = [];
  const runtime = await createAgentd({
    backend,
    secrets,
    signer: memorySigner(),
    services: { "/outside": outside },
    agents: {
      teller: {
        name: "teller",
        async onTrigger(ctx, trigger) {
          if (trigger.type !== "message" || !trigger.text.startsWith("say")) return;
          if (trigger.text === "say ask") return void await ctx.env.call("/outside", VALUE);
          ctx.log.info(`I know ${VALUE}`);
          await ctx.broadcast("told", { [VALUE]: VALUE });
          await ctx.reply({ said: VALUE });
          if (trigger.text === "say and fail") throw new Error(`no ${VALUE} ${"x".repeat(3_000)}`);
        },
      },
    },
    onError: (error) => errors.push(error),
  });
  await runtime.create({ id: ID, agent: "teller", limits: { retry_ms: [] } });
  const files = await runtime.files(ID, { viewer: "operator", name: "operator" });
  const said: string[] = [];
  for (const text of ["say it", "say and fail"]) {
    const { envelope_id } = JSON.parse(await callText(files, "/inbox", text));
    said.push(JSON.stringify(await runtime.wait(ID, envelope_id, NEVER)));
  }
  said.push(await callText(files, "/outside", "now"));
  const rows = () => backend.rows().get(ID)!;
  for (const word of ["ends", "fails"]) {
    const id = JSON.parse(await callText(files, "/outside", word));
    await runtime.wait(ID, `job:${id}:done` as never, NEVER);
  }
  await runtime.configure(ID, { mounts: { "/outside": "approve" } }, "keeper");
  await callText(files, "/inbox", "say ask");
  // The message waits for the answer, and nobody gives one.
  const open = () => readText(files, "/approvals/open");
  while (!(await open()).includes("/outside")) await new Promise((resolve) => setTimeout(resolve));
  said.push(await open());
  match(said.at(-1)!, /\[secret KEY\]/);
  for (const path of ["trace", "trajectory", "recent", "ticks"]) {
    said.push(await readText(files, `/logs/${path}`));
  }
  said.push(await readText(files, "/outbox"), await readText(files, "/deadletter/list"));
  await runtime.stop(1000);
  for (const text of said) ok(!text.includes(VALUE), text);
  match(said[0]!, /\[secret KEY\]/);
  match(said[1]!, /no \[secret KEY\]/);
  deepEqual(said[2], '{"said":"[secret KEY]"}');
  const families = new Map<string, string>();
  for (const [key, value] of rows()) {
    const family = key.split("/")[0]!;
    families.set(family, (families.get(family) ?? "") + new TextDecoder().decode(value));
  }
  for (const [family, text] of families) ok(!text.includes(VALUE), `${family}: ${text}`);
  for (const family of ["trace", "trajectory", "outbox", "dead", "job", "jobvalue", "jobevent"]) {
    match(families.get(family) ?? "", /\[secret KEY\]/, family);
  }
  equal(errors.filter((error) => String(error).includes(VALUE)).length, 0);
});
