/** Laws of records: one of every try, numbered without a hole, bounded, and kept for as long as the operator said. */
import type { StreamEvent } from "../../src/fs/file.ts";
import { watch } from "../../src/fs/use.ts";
import { holds, same } from "../expect.ts";
import { agent, AT_ONCE, door, said, scene } from "./scene.ts";
import type { TickLaw } from "./subject.ts";

const TICK = "tick";

/** What of a JSON Patch is used: `createPatch` makes nothing else. */
interface Patch {
  readonly op: string;
  readonly path: string;
  readonly value?: unknown;
}

/** Applies a JSON Patch of objects and arrays. */
function patched(before: unknown, patches: readonly Patch[]): unknown {
  let whole = structuredClone(before);
  for (const { op, path, value } of patches) {
    const names = path.split("/").slice(1)
      .map((name) => name.replaceAll("~1", "/").replaceAll("~0", "~"));
    const last = names.pop();
    if (last === undefined) {
      whole = structuredClone(value);
      continue;
    }
    let at = whole as Record<string, unknown>;
    for (const name of names) at = at[name] as Record<string, unknown>;
    if (Array.isArray(at)) {
      const index = last === "-" ? at.length : Number(last);
      at.splice(index, op === "add" ? 0 : 1, ...(op === "remove" ? [] : [value]));
    } else if (op === "remove") delete at[last];
    else at[last] = structuredClone(value);
  }
  return whole;
}

export const recordLaws: readonly TickLaw[] = [
  {
    id: "T68",
    name: "the_trajectory_records_every_try",
    says:
      "each try leaves one record: what came in, the code, calls with digests, messages, logs, the outcome; the changes of state in them, applied one after the other, give the state",
    async test(subject) {
      const s = await scene(subject, {
        two: agent(() => {}),
        one: agent(async (ctx, trigger) => {
          ctx.log.info(`try ${ctx.tick.attempt}`);
          ctx.state.list = [...ctx.state.list ?? [], said(trigger)];
          ctx.state["a/b~c"] = { n: (ctx.state["a/b~c"]?.n ?? 0) + 1 };
          if (ctx.state.list.length > 2) ctx.state.list.shift();
          if (said(trigger) === "drop") delete ctx.state["a/b~c"];
          await ctx.env.write("/files/f", said(trigger));
          await ctx.env.read("/files/f");
          await ctx.env.stat("/nowhere").catch(() => {});
          await ctx.send("two", { n: 1 });
          await ctx.broadcast("told");
          if (said(trigger) === "fails" || ctx.tick.attempt === 1 && said(trigger) === "once") {
            throw new Error("as asked");
          }
        }, { onCreate: (ctx) => void (ctx.state.made = true) }),
      }, { limits: { retry_ms: [1_000] } });
      const one = s.at("one");
      const ids: Record<string, string> = {};
      for (const text of ["a", "fails", "once", "b", "c", "drop", "d"]) {
        ids[text] = (await one.send(text)).envelope_id;
        await s.advance(1_000);
      }
      const records = (await one.events("/logs/trajectory", 0)).filter(({ type }) => type === TICK);
      const of = (text: string) => records.filter((record) => record.envelope_id === ids[text]);
      const outcomes = (text: string) => of(text).map(({ outcome, attempt }) => [outcome, attempt]);
      same(outcomes("a"), [["committed", 1]], "records of one that was fine");
      same(
        outcomes("fails"),
        [["rolled_back", 1], ["rolled_back", 2]],
        "records of one that was given up",
      );
      same(
        outcomes("once"),
        [["rolled_back", 1], ["committed", 2]],
        "records of one that failed once",
      );
      const [record] = of("a") as unknown as {
        trigger: { type: string; text: string };
        calls: { op: string; path: string; request?: string; answer?: string; error?: string }[];
        messages: { to: string; data: unknown }[];
        events: unknown[];
        logs: { level: string; text: string }[];
        code_digest: string;
        usage: { messages_sent: number };
        tick_id: string;
      }[];
      same([record!.trigger.type, record!.trigger.text], ["message", "a"], "the trigger");
      same(
        record!.calls.map(({ op, path, error }) => [op, path, error]),
        [["write", "/files/f", undefined], ["read", "/files/f", undefined], [
          "stat",
          "/nowhere",
          "not_found",
        ]],
        "the calls",
      );
      holds(record!.calls[0]!.request !== undefined, "a digest of what was written");
      same(
        record!.calls[1]!.answer,
        record!.calls[0]!.request,
        "the digest of what was read, the same",
      );
      same(record!.messages.map(({ to, data }) => [to, data]), [["two", { n: 1 }]], "messages");
      same(record!.logs, [{ level: "info", text: "try 1" }], "logs");
      same(record!.usage.messages_sent, 1, "usage");
      same(record!.code_digest, (await one.status()).code_digest, "the code");
      const failed = of("fails")[0] as unknown as {
        error: { code: string; message: string };
        state_changes: unknown[];
      };
      same(
        [failed.error.code, failed.state_changes],
        ["agent_error", []],
        "what a failed one tells",
      );
      let state: unknown = {};
      for (const { state_changes } of records) state = patched(state, state_changes as Patch[]);
      same(state, await one.state(), "the state, from its changes");
      await s.restart("crash");
      const after = (await one.events("/logs/trajectory", 0)).filter(({ type }) => type === TICK);
      same(after, records, "the records after a crash");
      same(
        (await one.json<unknown[]>("/logs/ticks")).length,
        records.length,
        "ticks that are listed",
      );
    },
  },
  {
    id: "T69",
    name: "records_are_bounded",
    says:
      "a record has at most 256 KiB, however large the message, the state and the number of calls; larger parts are told by their digest",
    async test(subject) {
      let ended = false;
      const s = await scene(subject, {
        one: agent(async (ctx, trigger) => {
          ctx.state.text = said(trigger);
          ctx.state.more = "y".repeat(400_000);
          for (let n = 0; n < 3_000; n++) await ctx.env.stat("/kv");
          for (let n = 0; n < 2_000; n++) ctx.log.info(`line ${n} ${"z".repeat(200)}`);
          await ctx.send("one-more", { text: said(trigger) });
          ended = true;
        }),
        "one-more": agent(() => {}),
      });
      await s.at("one").send("x".repeat(300_000));
      await s.until(() => ended);
      await s.quiet();
      const rows = await subject.backend.storage("one").list({ prefix: "trajectory/" });
      for (const { key, value } of rows) {
        holds(value.length <= 256 * 1024, `${key} has ${value.length} bytes`);
      }
      const records = await s.at("one").events("/logs/trajectory", 0);
      const large = records.find((record) => record.type === TICK && record.attempt === 1)!;
      same(
        (await s.at("one").state() as { text: string }).text.length,
        300_000,
        "the state is whole",
      );
      const told = JSON.stringify(large);
      holds(told.includes("digest"), "digests are told");
    },
  },
  {
    id: "T70",
    name: "retention_keeps_the_newest",
    says:
      "trace, outbox and trajectory keep about as many events as the agent's retention says, the newest; who asks for what is gone is first told of the gap, and a watch goes on from there",
    async test(subject) {
      const retention = { trace: 300, outbox: 100, trajectory: 50 };
      const s = await scene(subject, {
        one: agent(async (ctx) => {
          for (let n = 0; n < 4; n++) await ctx.broadcast("told", n);
        }),
      }, { limits: { retention } });
      const one = s.at("one");
      for (let n = 0; n < 300; n += 20) {
        await s.answer(() =>
          Promise.all(Array.from({ length: 20 }, (_, i) => one.sending(`${n + i}`)))
        );
      }
      await s.advance(1_000);
      await s.restart("crash");
      same((await one.status()).retention, retention, "what the status says");
      const paths = {
        "/outbox": retention.outbox,
        "/logs/trajectory": retention.trajectory,
        "/logs/trace": retention.trace,
      };
      for (const [path, kept] of Object.entries(paths)) {
        const events = await one.events(path, 0);
        const [gap, ...rest] = events;
        const last = rest.at(-1)!.seq;
        same(
          [gap?.type, gap?.from, gap?.to],
          ["gap", 1, rest[0]!.seq - 1],
          `${path}: what is gone`,
        );
        holds(rest.length >= Math.min(kept, last), `${path}: ${rest.length} are kept, of ${kept}`);
        holds(rest.length <= kept + 400, `${path}: ${rest.length} are kept, of ${kept}`);
        same(rest.map(({ seq }) => seq), rest.map((_, i) => rest[0]!.seq + i), `${path}: numbers`);
        const some = await one.events(path, last - 10);
        same(some, rest.slice(-10), `${path}: what is behind a number`);
        const leave = new AbortController();
        const seen: StreamEvent[] = [];
        const files = await one.files();
        const watching = (async () => {
          const events = await watch<StreamEvent>(files, path, { after: 1, signal: leave.signal });
          for await (const event of events) seen.push(event);
        })();
        await s.quiet();
        await one.send("one more");
        await s.until(() => (seen.at(-1)?.seq ?? 0) > last);
        same([seen[0]?.type, seen[0]?.from], ["gap", 2], `${path}: a watch is told of the gap`);
        const numbers = seen.slice(1).map(({ seq }) => seq);
        same(numbers, numbers.map((_, i) => numbers[0]! + i), `${path}: numbers that are watched`);
        holds(numbers.at(-1)! > last, `${path}: a watch goes on`);
        leave.abort();
        await s.answer(() => watching);
      }
    },
  },
  {
    id: "T71",
    name: "numbers_of_events_have_no_holes",
    says:
      "events of the outbox and records are numbered without a hole, whatever failed, was tried again or was cut off in between",
    async test(subject) {
      const gate = door();
      const s = await scene(subject, {
        one: agent(async (ctx, trigger) => {
          await ctx.broadcast("a");
          await ctx.reply("b");
          if (said(trigger) === "fails") throw new Error("as asked");
          if (said(trigger) === "slow") await gate.pass(ctx);
        }, {
          async onSleep(ctx) {
            await ctx.broadcast("sleeps");
            throw new Error("cannot");
          },
        }),
      }, { limits: AT_ONCE });
      const one = s.at("one");
      const check = async (when: string) => {
        for (const path of ["/outbox", "/logs/trajectory"]) {
          const events = await one.events(path, 0);
          same(events.map(({ seq }) => seq), events.map((_, i) => i + 1), `${path} ${when}`);
        }
      };
      for (const text of ["a", "fails", "b"]) await one.send(text);
      await s.advance(10);
      await check("after a failure");
      await one.control("hibernate");
      await one.send("c");
      await check("after an onSleep that failed");
      await one.send("slow");
      await s.restart("crash");
      gate.open();
      await s.quiet();
      await one.send("d");
      await check("after a crash");
      same((await one.events("/outbox")).length, 2 * 5, "events of five ticks");
    },
  },
];
