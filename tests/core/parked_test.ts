/** A handler that fails for want of a person's yes: its envelope waits for the answer, and no try is used up, whatever comes in between. */
import { createAgentd } from "../../src/agentd.ts";
import { type MemoryBackend, memoryBackend } from "../../src/backends/memory.ts";
import type { Agent } from "../../src/core/agent.ts";
import { type Approval, APPROVAL_TTL_MS } from "../../src/core/approval.ts";
import type { Backend } from "../../src/core/backend.ts";
import { agentId, type EnvelopeId } from "../../src/core/id.ts";
import type { CreateRequest, Runtime } from "../../src/core/runtime.ts";
import type { Receipt } from "../../src/core/view.ts";
import { FileError, hasCode } from "../../src/fs/error.ts";
import { callJson, readJson, readText, writeText } from "../../src/fs/use.ts";
import { memorySigner } from "../../src/providers/signer/memory.ts";
import { deepEqual, equal, match } from "../assert.ts";

const ID = agentId("bob");
const NEVER = new AbortController().signal;
const RETRY_MS = [1_000, 5_000];

interface World {
  readonly backend: MemoryBackend;
  readonly runtime: Runtime;
  /** What its handler was given, once for each run. */
  readonly runs: string[];
  readonly errors: unknown[];
  send(text: string, by?: string): Promise<EnvelopeId>;
  /** How the envelope's last tick ended: an error's code, or `done`. */
  ended(id: EnvelopeId): Promise<string>;
  open(): Promise<Approval[]>;
  decide(answer: "approve" | "deny"): Promise<void>;
  read(path: string): Promise<string>;
  stop(): Promise<void>;
}

/** Writes what it is told to a file, and does not look whether it may. */
const writer = (runs: string[], asked: () => Promise<void>): Agent => ({
  name: "writer",
  async onTrigger(ctx, trigger) {
    if (trigger.type !== "message") return;
    runs.push(trigger.text);
    if (!trigger.text.startsWith("write")) return;
    for (const name of trigger.text.split(" ").slice(1)) {
      await ctx.env.write(`/files/${name}`, `${ctx.now()}`).catch(async (error) => {
        await asked();
        throw error;
      });
    }
  },
});

interface Options {
  readonly request?: Partial<CreateRequest>;
  /** Runs when the handler was refused, before it fails. */
  readonly asked?: () => Promise<void>;
  readonly spoil?: (backend: MemoryBackend) => Backend;
}

async function world(backend = memoryBackend(), options: Options = {}): Promise<World> {
  const runs: string[] = [];
  const errors: unknown[] = [];
  const runtime = await createAgentd({
    backend: options.spoil?.(backend) ?? backend,
    signer: memorySigner(),
    agents: { writer: writer(runs, options.asked ?? (() => Promise.resolve())) },
    onError: (error) => errors.push(error),
  });
  const terms = { mounts: { "/files": "approve" }, limits: { retry_ms: RETRY_MS } } as const;
  await runtime.create({ id: ID, agent: "writer", ...terms, ...options.request })
    .catch((error) => {
      if (!hasCode(error, "already_exists")) throw error;
    });
  const as = (name: string) => runtime.files(ID, { viewer: "operator", name });
  const open = async () => await readJson<Approval[]>(await as("ann"), "/approvals/open");
  return {
    backend,
    runtime,
    runs,
    errors,
    async send(text, by = "ann") {
      return (await callJson<Receipt>(await as(by), "/inbox", text)).envelope_id;
    },
    async ended(id) {
      const { tick } = (await runtime.wait(ID, id, NEVER))!;
      return tick.error?.code ?? "done";
    },
    open,
    async decide(answer) {
      const [question, ...more] = await open();
      deepEqual(more, []);
      await writeText(await as("ann"), `/approvals/${question!.id}`, answer);
    },
    read: async (path) => await readText(await as("ann"), path),
    stop: () => runtime.stop(1_000),
  };
}

Deno.test("it waits for the answer and holds back its sender alone; after a yes it runs at once, and no try is used up", async () => {
  const w = await world();
  const one = await w.send("write a");
  const behind = await w.send("behind");
  equal(await w.ended(await w.send("another", "eve")), "done");
  await w.backend.clock.advance(APPROVAL_TTL_MS - 60_000);
  deepEqual(w.runs, ["write a", "another"], "it was not tried again");
  await w.decide("approve");
  deepEqual([await w.ended(one), await w.ended(behind)], ["done", "done"]);
  deepEqual(w.runs, ["write a", "another", "write a", "behind"]);
  match(await w.read("/files/a"), /^\d+$/);
  const ticks = (await w.read("/logs/trace")).trim().split("\n").map((line) => JSON.parse(line))
    .filter(({ type, envelope_id }) => type === "tick_start" && envelope_id === one);
  deepEqual(ticks.map(({ attempt }) => attempt), [1, 1]);
  deepEqual(w.errors, []);
  await w.stop();
});

Deno.test("after a no it runs again at once, and what it is refused is a failure as any other", async () => {
  const w = await world();
  const one = await w.send("write a");
  await w.backend.clock.advance(60_000);
  await w.decide("deny");
  await w.backend.clock.advance(0);
  equal(w.runs.length, 2);
  await w.backend.clock.advance(7_000);
  equal(await w.ended(one), "agent_error");
  match(JSON.parse(await w.read("/status")).last_error.message, /permission_denied/);
  equal(w.runs.length, 2 + RETRY_MS.length);
  await w.stop();
});

Deno.test("a question that nobody answers in time lets it go on, once; then it has its tries and no more", async () => {
  const w = await world();
  const one = await w.send("write a");
  await w.backend.clock.advance(APPROVAL_TTL_MS);
  equal(w.runs.length, 2);
  equal((await w.open()).length, 1, "it is asked once more");
  await w.backend.clock.advance(7_000);
  equal(await w.ended(one), "agent_error");
  equal(w.runs.length, 2 + RETRY_MS.length);
  await w.stop();
});

Deno.test("one question after the other, each is waited for; an agent that is never tried again waits too", async () => {
  const w = await world(undefined, { request: { limits: { retry_ms: [] } } });
  const one = await w.send("write a b");
  await w.backend.clock.advance(3_600_000);
  await w.decide("approve");
  await w.backend.clock.advance(3_600_000);
  await w.decide("approve");
  equal(await w.ended(one), "done");
  equal(w.runs.length, 3);
  equal(await w.read("/files/a"), await w.read("/files/b"), "the tick has one time");
  await w.stop();
});

Deno.test("the same request of two envelopes is one question, and its yes is for one of them", async () => {
  const w = await world();
  const both = [await w.send("write a", "ann"), await w.send("write a", "eve")];
  await w.backend.clock.advance(60_000);
  await w.decide("approve");
  await w.backend.clock.advance(60_000);
  equal(w.runs.length, 4);
  await w.decide("approve");
  deepEqual(await Promise.all(both.map(w.ended)), ["done", "done"]);
  await w.stop();
});

Deno.test("an answer that comes while the try still runs is not missed", async () => {
  let decided = false;
  const w: World = await world(undefined, {
    async asked() {
      if (!decided) await w.decide("approve");
      decided = true;
    },
  });
  equal(await w.ended(await w.send("write a")), "done");
  equal(w.runs.length, 2);
  await w.stop();
});

for (const end of ["a stop", "a crash"]) {
  Deno.test(`it waits on after ${end}, and the answer that comes then lets it go`, async () => {
    const before = await world();
    const one = await before.send("write a");
    const behind = await before.send("behind");
    await before.backend.clock.advance(60_000);
    equal(before.runs.length, 1);
    if (end === "a stop") await before.stop();
    const after = await world(end === "a stop" ? before.backend : before.backend.reopen());
    await after.backend.clock.advance(3_600_000);
    deepEqual(after.runs, []);
    await after.decide("approve");
    deepEqual([await after.ended(one), await after.ended(behind)], ["done", "done"]);
    deepEqual(after.runs, ["write a", "behind"]);
    await after.stop();
    if (end !== "a stop") await before.stop();
  });
}

Deno.test("an answer after which the program ends at once lets it go at the next start", async () => {
  let fails = true;
  const isLetGo = (keys: readonly string[]) => keys.some((key) => key.startsWith("retry/"));
  const before = await world(undefined, {
    spoil: (backend) => ({
      ...backend,
      storage(owner) {
        const rows = backend.storage(owner);
        return {
          ...rows,
          async commit(batch) {
            if (fails && isLetGo(batch.remove)) throw new FileError("io", "commit", owner);
            await rows.commit(batch);
          },
        };
      },
    }),
  });
  const one = await before.send("write a");
  await before.backend.clock.advance(60_000);
  await before.decide("approve");
  const after = await world(before.backend.reopen());
  equal(await after.ended(one), "done");
  deepEqual(after.runs, ["write a"]);
  await after.stop();
  // And where the program goes on, the agent is opened again from its rows.
  fails = false;
  await before.backend.clock.advance(1_000);
  equal(await before.ended(one), "done");
  equal(before.errors.length, 1);
  await before.stop();
});

Deno.test("what needs no yes any more is not waited for", async () => {
  const w = await world();
  const one = await w.send("write a");
  await w.backend.clock.advance(60_000);
  await w.runtime.configure(ID, { name: "Bob" }, "ann");
  await w.backend.clock.advance(60_000);
  equal((await w.open()).length, 1, "it is the same question");
  await w.runtime.configure(ID, { mounts: { "/files": "read_write" } }, "ann");
  equal(await w.ended(one), "done");
  await w.stop();
});

Deno.test("who is refused and fails with words of its own is tried again as ever", async () => {
  const w = await world(undefined, {
    asked: () => Promise.reject(new Error("I give up")),
  });
  const one = await w.send("write a");
  await w.backend.clock.advance(7_000);
  equal(await w.ended(one), "agent_error");
  equal(w.runs.length, 1 + RETRY_MS.length);
  await w.stop();
});
