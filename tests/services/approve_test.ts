/** A mount at which an agent asks first, through its ticks: a yes outlives a tick that fails, and is used up by one that does not. */
import { createAgentd } from "../../src/agentd.ts";
import { memoryBackend } from "../../src/backends/memory.ts";
import type { Approval } from "../../src/core/approval.ts";
import { agentId } from "../../src/core/id.ts";
import type { Receipt } from "../../src/core/view.ts";
import type { FileError } from "../../src/fs/error.ts";
import { callJson, callText, readJson, readText, writeText } from "../../src/fs/use.ts";
import { memorySigner } from "../../src/providers/signer/memory.ts";
import { deepEqual, equal, match } from "../assert.ts";
import { ID, spending } from "./spending.ts";

const NEVER = new AbortController().signal;

Deno.test("signing waits for a yes, looking does not, and an operator signs as ever", async () => {
  const made = await spending({ mounts: { "/identity": "approve" } });
  const { files, calls, decide, question } = made;
  const { code, question: id } = await calls("/identity/sign", "I owe you");
  equal(code, "approval_required");
  equal((await question(id)).path, "/identity/sign");
  await callText(files, "/identity/sign", "I owe you");
  await decide(id, "approve");
  equal((await calls("/identity/sign", "I owe you")).code, undefined);
  equal((await calls("/identity/sign", "I owe you")).code, "approval_required");
  equal((await calls("/identity/sign", "I owe them")).code, "approval_required");
  await made.stop();
});

Deno.test("when the operator says so it asks no more, from the next call on", async () => {
  const { runtime, calls, stop } = await spending({ mounts: { "/identity": "approve" } });
  equal((await calls("/identity/sign", "x")).code, "approval_required");
  await runtime.configure(ID, { mounts: { "/identity": "sign_only" } }, "ann");
  equal((await calls("/identity/sign", "x")).code, undefined);
  await runtime.configure(ID, { mounts: { "/identity": "approve" } }, "ann");
  equal((await calls("/identity/sign", "y")).code, "approval_required");
  await stop();
});

Deno.test("a tick that fails behind a yes has it in its next try, and no other envelope has", async () => {
  const backend = memoryBackend();
  const id = agentId("b");
  let fails = 0;
  const runtime = await createAgentd({
    backend,
    signer: memorySigner(),
    agents: {
      writer: {
        name: "writer",
        async onTrigger(ctx, trigger) {
          if (trigger.type !== "message") return;
          try {
            await ctx.env.write("/files/out", trigger.text);
          } catch (error) {
            return await ctx.reply(String((error as FileError).extra?.approval_id));
          }
          if (fails-- > 0) throw new Error("later");
          await ctx.reply("written");
        },
      },
    },
  });
  await runtime.create({
    id,
    agent: "writer",
    mounts: { "/files": "approve" },
    limits: { retry_ms: [1_000] },
  });
  const files = await runtime.files(id, { viewer: "operator", name: "ann" });
  const say = async (): Promise<string> => {
    const { envelope_id } = await callJson<Receipt>(files, "/inbox", "text");
    const waiting = runtime.wait(id, envelope_id, NEVER);
    await backend.clock.advance(2_000);
    return ((await waiting)!.replies[0] as unknown as { text: string }).text;
  };
  const asked = await say();
  match(asked, /^apr_/);
  await writeText(files, `/approvals/${asked}`, "approve");
  fails = 1;
  equal(await say(), "written");
  equal(fails, -1, "it was tried twice");
  equal(await readText(files, "/files/out"), "text");
  const { state } = await readJson<Approval>(files, `/approvals/${asked}`);
  equal(state, "used");
  match(await say(), /^apr_/);
  const trace = (await readText(files, "/logs/trace")).trim().split("\n").map((line) =>
    JSON.parse(line)
  );
  deepEqual(
    trace.filter(({ type, approval_id }) => type === "approval" && approval_id === asked)
      .map(({ action }) => action),
    ["asked", "approved", "used"],
  );
  await runtime.stop(1_000);
});

Deno.test("a change of the agent in the middle of a tick gives nothing a second time", async () => {
  const id = agentId("b");
  const codes: string[] = [];
  let change = () => Promise.resolve<unknown>(undefined);
  const runtime = await createAgentd({
    backend: memoryBackend(),
    signer: memorySigner(),
    agents: {
      signer: {
        name: "signer",
        async onTrigger(ctx, trigger) {
          if (trigger.type !== "message") return;
          for (let n = 0; n < 2; n++) {
            await ctx.env.call("/identity/sign", "x").then(
              () => codes.push("signed"),
              (error: FileError) => codes.push(error.code),
            );
            await change();
          }
        },
      },
    },
  });
  await runtime.create({ id, agent: "signer", mounts: { "/identity": "approve" } });
  const files = await runtime.files(id, { viewer: "operator", name: "ann" });
  const tick = async () => {
    const { envelope_id } = await callJson<Receipt>(files, "/inbox", "go");
    await runtime.wait(id, envelope_id, NEVER);
  };
  await tick();
  const [asked] = await readJson<Approval[]>(files, "/approvals/open");
  await writeText(files, `/approvals/${asked!.id}`, "approve");
  let names = 0;
  change = () => runtime.configure(id, { name: `name ${++names}` }, "ann");
  codes.length = 0;
  await tick();
  deepEqual(codes, ["signed", "approval_required"]);
  await runtime.stop(1_000);
});
