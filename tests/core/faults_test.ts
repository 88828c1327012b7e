/** Storage that fails for a while: nothing is lost or done twice, and nobody runs in circles. */
import assert from "../assert.ts";
import { memoryTicks } from "../../conformance/memory.ts";
import { agent, said, type Scene, scene } from "../../conformance/ticks/scene.ts";
import type { TickSubject } from "../../conformance/ticks.ts";
import { createAgentd } from "../../src/agentd.ts";
import type { Backend, Owner } from "../../src/core/backend.ts";
import type { Batch } from "../../src/core/storage.ts";
import { FileError, hasCode } from "../../src/fs/error.ts";

/** When a commit fails: not at all, before it has changed anything, or after it has. */
type Fault = "none" | "before" | "after";

interface Disk {
  fault: Fault;
  /** Which commits. */
  on: (owner: Owner, batch: Batch) => boolean;
}

function faulty(backend: Backend, disk: Disk): Backend {
  return {
    ...backend,
    storage(owner) {
      const storage = backend.storage(owner);
      return {
        ...storage,
        async commit(batch) {
          const { fault } = disk;
          const fails = fault !== "none" && disk.on(owner, batch);
          if (!fails || fault === "after") await storage.commit(batch);
          if (fails) {
            throw new FileError("quota_exceeded", "commit", owner, { detail: "the disk is full" });
          }
        },
      };
    },
  };
}

async function withFaults(
  disk: Disk,
  run: (subject: TickSubject, errors: () => number) => Promise<void>,
): Promise<void> {
  const made = memoryTicks("faulty", {
    begin: (parts) => createAgentd({ ...parts, backend: faulty(parts.backend, disk) }),
  });
  const { subject, close } = await made.open();
  try {
    await run(subject, () => subject.errors.length);
  } finally {
    await close();
  }
}

const counter = (runs: { n: number }) =>
  agent(async (ctx, trigger) => {
    runs.n++;
    ctx.state.count = (ctx.state.count ?? 0) + 1;
    ctx.state.heard = [...ctx.state.heard ?? [], said(trigger)];
    await ctx.reply(`${ctx.state.count}`);
    await ctx.send("two", ctx.state.count);
  });

const puts = (batch: Batch, prefix: string) => batch.put.some(({ key }) => key.startsWith(prefix));

async function outcome(s: Scene) {
  const state = await s.at("one").state();
  const replies = (await s.at("one").events("/outbox")).map(({ seq, payload }) => [seq, payload]);
  return { state, replies, two: await s.at("two").state() };
}

for (const fault of ["before", "after"] as const) {
  Deno.test(`a tick whose commit fails (${fault}) is run again after a rest, and takes effect once`, () => {
    const disk: Disk = {
      fault: "none",
      on: (owner, batch) => owner === "one" && puts(batch, "state"),
    };
    return withFaults(disk, async (subject) => {
      const runs = { n: 0 };
      const s = await scene(subject, {
        two: agent((ctx, trigger) => {
          ctx.state.heard = [...ctx.state.heard ?? [], said(trigger)];
        }),
        one: counter(runs),
      });
      await s.at("one").send("a");
      disk.fault = fault;
      await s.at("one").send("b");
      await s.at("one").send("c").catch((error) => {
        if (!hasCode(error, "not_ready") && !hasCode(error, "quota_exceeded")) throw error;
      });
      const before = runs.n;
      await s.advance(10_000);
      assert.ok(runs.n - before <= 22, `${runs.n - before} runs in ten seconds of a full disk`);
      disk.fault = "none";
      await s.advance(5_000);
      await s.at("one").send("d");
      const { state, replies, two } = await outcome(s);
      const { count, heard } = state as { count: number; heard: string[] };
      assert.deepEqual([heard[0], heard[1], heard.at(-1)], ["a", "b", "d"]);
      assert.equal(new Set(heard).size, heard.length, "each once");
      assert.equal(count, heard.length);
      assert.deepEqual(replies.map(([seq]) => seq), heard.map((_, i) => i + 1));
      assert.deepEqual((two as { heard: string[] }).heard, heard.map((_, i) => `${i + 1}`));
    });
  });

  Deno.test(`a delivery whose commit fails (${fault}) is accepted or told as failed, and its repeat takes effect once`, () => {
    const disk: Disk = {
      fault: "none",
      on: (owner, batch) => owner === "one" && puts(batch, "inbox/"),
    };
    return withFaults(disk, async (subject) => {
      const runs = { n: 0 };
      const s = await scene(subject, { two: agent(() => {}), one: counter(runs) });
      disk.fault = fault;
      await s.at("one").send("a", { id: "a" }).catch(() => {});
      await s.at("one").send("b", { id: "b" }).catch(() => {});
      disk.fault = "none";
      await s.advance(5_000);
      for (const text of ["a", "b", "c"]) await s.at("one").send(text, { id: text });
      const { heard } = await s.at("one").state() as { heard: string[] };
      assert.deepEqual(heard, ["a", "b", "c"]);
    });
  });

  Deno.test(`messages between agents over a storage that fails (${fault}) arrive once and in order`, () => {
    const disk: Disk = { fault: "none", on: () => true };
    return withFaults(disk, async (subject) => {
      const s = await scene(subject, {
        one: agent(async (ctx, trigger) => {
          for (let n = 0; n < 3; n++) await ctx.send("two", `${said(trigger)} ${n}`);
        }),
        two: agent((ctx, trigger) => {
          ctx.state.heard = [...ctx.state.heard ?? [], said(trigger)];
        }),
      });
      for (let round = 0; round < 6; round++) {
        const owner = round % 2 === 0 ? "one" : "two";
        disk.on = (at) => at === owner;
        const sent = s.at("one").sending(`${round}`, { id: `r${round}` }).catch(() => {});
        for (let turns = 0; turns < 30 + round * 7; turns++) await Promise.resolve();
        disk.fault = fault;
        await s.quiet();
        await sent;
        await s.advance(3_000);
        disk.fault = "none";
        await s.advance(3_000);
        await s.at("one").send(`${round}`, { id: `r${round}` });
        await s.advance(3_000);
      }
      const want = [0, 1, 2, 3, 4, 5].flatMap((round) => [0, 1, 2].map((n) => `${round} ${n}`));
      assert.deepEqual((await s.at("two").state() as { heard: string[] }).heard, want);
    });
  });
}

Deno.test("a word, a policy and an alarm over a storage that fails are done when it works again", () => {
  const disk: Disk = { fault: "none", on: (owner) => owner === "one" };
  return withFaults(disk, async (subject) => {
    const s = await scene(subject, {
      one: agent((ctx, trigger) => {
        if (trigger.type === "alarm") ctx.state.rang = (ctx.state.rang ?? 0) + 1;
        else return void ctx.alarm(1_000);
      }),
    });
    const one = s.at("one");
    await one.send("go");
    disk.fault = "before";
    await s.advance(5_000);
    await assert.rejects(one.control("pause"));
    await assert.rejects(one.overflow({ max_depth: 5 }));
    disk.fault = "none";
    await s.advance(5_000);
    assert.deepEqual(await one.state(), { rang: 1 });
    assert.notEqual((await one.status()).state, "paused");
    assert.equal((await one.json<{ max_depth: number }>("/inbox/overflow")).max_depth, 10_000);
    await one.control("pause");
    assert.equal((await one.status()).state, "paused");
  });
});
