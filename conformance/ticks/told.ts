/** Laws of what is told: the trace as it happens, a record of every try, events, and how much of it is kept. */
import type { StreamEvent } from "../../src/fs/file.ts";
import { watch } from "../../src/fs/use.ts";
import { holds, same } from "../expect.ts";
import { agent, AT_ONCE, door, ONCE, said, scene } from "./scene.ts";
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

export const toldLaws: readonly TickLaw[] = [
  {
    id: "T66",
    name: "the_trace_is_seen_while_it_happens",
    says:
      "a watcher of the trace, outside or the agent itself, sees the events of a tick while it runs, in order and each once; those of a try that failed stay, and a restart goes on with their numbers",
    async test(subject) {
      const gate = door();
      const own: string[] = [];
      const s = await scene(subject, {
        two: agent(() => {}),
        one: agent(async (ctx, trigger) => {
          if (said(trigger) === "watch") {
            for await (const event of ctx.env.watch<StreamEvent>("/logs/trace", { tail: 1 })) {
              if (own.push(event.type) === 1) ctx.log.info("from inside");
              if (event.type === "log") break;
            }
            return;
          }
          ctx.log.warn("a line", { n: 1 });
          await ctx.env.write("/kv/a", "1");
          await ctx.env.read("/nowhere").catch(() => {});
          await ctx.send("two", "x");
          await ctx.alarm(60_000);
          await gate.pass();
          throw new Error("after all");
        }),
      }, { limits: ONCE });
      const seen: StreamEvent[] = [];
      const leave = new AbortController();
      const files = await s.at("one").files();
      const watching = (async () => {
        const events = await watch<StreamEvent>(files, "/logs/trace", {
          after: 0,
          signal: leave.signal,
        });
        for await (const event of events) seen.push(event);
      })();
      const { envelope_id } = await s.at("one").send("go");
      const types = () => seen.filter((e) => e.envelope_id === envelope_id).map(({ type }) => type);
      const want = [
        "message_in",
        "tick_start",
        "log",
        "file_call",
        "file_result",
        "file_call",
        "file_result",
        "message_out",
        "alarm",
      ];
      same(types(), want, "what is seen while the tick runs");
      gate.open();
      await s.quiet();
      same(
        types().slice(want.length),
        ["error", "tick_end", "lifecycle"],
        "what is seen when it failed",
      );
      const log = seen.find(({ type }) => type === "log")!;
      same([log.level, log.text], ["warn", 'a line {"n":1}'], "a log line");
      const start = seen.find(({ type }) => type === "tick_start")!;
      holds(String(start.tick_id).startsWith("tick_"), "events name their tick");
      await s.at("one").send("watch");
      same(own.at(-1), "log", "what the agent sees of itself");
      leave.abort();
      await s.answer(() => watching);
      const kept = await s.at("one").events("/logs/trace", 0);
      same(kept.slice(0, seen.length), seen, "what was watched is what is kept");
      same(kept.map(({ seq }) => seq), kept.map((_, i) => i + 1), "the numbers");
      await s.restart("clean");
      await s.at("one").send("watch");
      const later = await s.at("one").events("/logs/trace", 0);
      same(later.slice(0, kept.length), kept, "what is kept over a restart");
      same(later.map(({ seq }) => seq), later.map((_, i) => i + 1), "the numbers after a restart");
      await s.restart("crash");
      await s.at("one").send("watch");
      const numbers = (await s.at("one").events("/logs/trace")).map(({ seq }) => seq);
      same(numbers, [...new Set(numbers)].sort((a, b) => a - b), "the numbers after a crash");
    },
  },
  {
    id: "T67",
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
    id: "T68",
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
    id: "T69",
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
    id: "T70",
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
  {
    id: "T71",
    name: "the_status_counts",
    says:
      "`/status` tells the agent's state, its ticks, what waits, its dead letters, its last tick and error, and what it stores; the agent reads it in its tick",
    async test(subject) {
      const own: unknown[] = [];
      const s = await scene(subject, {
        one: agent(async (ctx, trigger) => {
          const { id, state, queue_depth } = await ctx.env.readJson<{
            id: string;
            state: string;
            queue_depth: number;
          }>("/status");
          own.push([id, state, queue_depth]);
          if (said(trigger) === "fails") throw new Error("the reason");
          ctx.state.text = "x".repeat(100);
          await ctx.kv.set("k", "y".repeat(1_000));
          await ctx.env.write("/files/f", "z".repeat(100_000));
        }),
      }, { limits: ONCE, name: "The One" });
      const one = s.at("one", "ann");
      const made = await one.status();
      same(
        [made.id, made.name, made.agent, made.state],
        ["one", "The One", "one", "active"],
        "a new one",
      );
      same([made.tick_count, made.last_tick_at, made.last_error], [0, null, null], "before a tick");
      await one.send("go");
      await s.advance(1_000);
      await one.send("fails");
      const status = await one.status();
      same([status.tick_count, status.queue_depth, status.dead_letters, status.failures], [
        1,
        0,
        1,
        1,
      ], "counts");
      same(status.last_tick_at, new Date(subject.clock.now()).toISOString(), "the last tick");
      same(status.last_tick_cause, "message http:ann", "its cause");
      same([status.last_error?.code, status.last_error?.message.includes("the reason")], [
        "agent_error",
        true,
      ], "the last error");
      const stored = status.storage_bytes;
      holds(stored >= 101_100 && stored < 103_000, `what it stores: ${stored}`);
      same(own, [["one", "active", 1], ["one", "active", 1]], "what the agent reads");
      same(status.created_at, made.created_at, "when it was made");
      await s.restart("crash");
      const { state: _a, ...after } = await one.status();
      const { state: _b, ...before } = status;
      same(after, before, "after a crash");
    },
  },
];
