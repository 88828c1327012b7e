/** How long an agent may run in a day: what its ticks take is counted across restarts, warned of, told, and free again the next day. */
import type { MemoryBackend } from "../../src/backends/memory.ts";
import type { AgentStatus, Receipt } from "../../src/core/view.ts";
import { callJson, readJson, readText, writeText } from "../../src/fs/use.ts";
import { deepEqual, equal, match, rejects } from "../assert.ts";
import { ID, type World, world } from "../services/world.ts";

const DAY_MS = 86_400_000;
const LIMIT = { max_daily_compute_ms: 10_000 };

/** An agent whose ticks take as many milliseconds as they are told. */
async function working(rows?: MemoryBackend, limits: object = LIMIT): Promise<World> {
  const made: World = await world(
    async (_, trigger) => {
      if (trigger.type !== "message") return;
      const [ms, fails] = trigger.text.split(" ");
      await made.backend.clock.advance(Number(ms));
      if (fails) throw new Error("as it was told");
    },
    { limits: { ...limits, retry_ms: [] } },
    rows,
  );
  return made;
}

async function rest({ files }: World): Promise<string | undefined> {
  return (await readJson<AgentStatus>(files, "/status")).rests_until;
}

async function warnings({ files }: World): Promise<Record<string, unknown>[]> {
  const lines = (await readText(files, "/logs/trace")).trim().split("\n");
  return lines.map((line) => JSON.parse(line)).filter(({ type, warning }) =>
    type === "budget" && String(warning).includes("max_daily_compute_ms")
  );
}

function tomorrow({ backend }: World): string {
  return new Date((Math.floor(backend.now() / DAY_MS) + 1) * DAY_MS).toISOString();
}

Deno.test("ticks that succeed and ticks that fail use up the day", async () => {
  const made = await working();
  await made.tick("4000");
  equal(await rest(made), undefined);
  await made.tick("3000 fails");
  equal(await rest(made), undefined);
  deepEqual(await warnings(made), []);
  await made.tick("3000");
  equal(await rest(made), tomorrow(made));
  deepEqual(
    (await warnings(made)).map(({ warning, used_ms, limit_ms, rests_until }) => [
      warning,
      used_ms,
      limit_ms,
      rests_until,
    ]),
    [
      ["80% of max_daily_compute_ms", 10_000, 10_000, undefined],
      ["max_daily_compute_ms is reached", 10_000, 10_000, tomorrow(made)],
    ],
  );
  await rejects(
    writeText(made.files, "/ctl", "tick"),
    (error: { code: string; detail: string }) => {
      match(error.detail, new RegExp(tomorrow(made)));
      return error.code === "quota_exceeded";
    },
  );
  await made.stop();
});

Deno.test("a restart gives no time, a new day does, and so does a higher limit", async () => {
  const first = await working();
  await first.tick("12000");
  equal(await rest(first), tomorrow(first));
  await first.stop();
  const again = await working(first.backend.reopen());
  equal(await rest(again), tomorrow(again));
  await again.runtime.configure(
    (await readJson<AgentStatus>(again.files, "/status")).id,
    { limits: { max_daily_compute_ms: 20_000 } },
    "ann",
  );
  equal(await rest(again), undefined);
  await again.tick("9000");
  equal(await rest(again), tomorrow(again));
  await again.backend.clock.advance(DAY_MS);
  equal(await rest(again), undefined);
  await again.tick("1000");
  equal(await rest(again), undefined);
  await again.stop();
});

Deno.test("a limit of a whole day is none", async () => {
  const made = await working(undefined, {});
  await made.tick("500000");
  equal(await rest(made), undefined);
  deepEqual(await warnings(made), []);
  await made.stop();
});

Deno.test("what comes while an agent rests waits for the next day, also over a restart", async () => {
  const first = await working();
  await first.tick("10000");
  const send = (made: World) => callJson<Receipt>(made.files, "/inbox", "1");
  const { envelope_id } = await send(first);
  await first.backend.clock.advance(60_000);
  const until = Date.parse(tomorrow(first));
  const before = await readJson<AgentStatus>(first.files, "/status");
  deepEqual([before.queue_depth, before.tick_count], [1, 1]);
  await first.stop();

  const again = await working(first.backend.reopen());
  await again.backend.clock.advance(until - again.backend.now() - 1);
  const status = await readJson<AgentStatus>(again.files, "/status");
  deepEqual([status.queue_depth, status.tick_count], [1, 1]);
  await again.backend.clock.advance(1);
  equal((await again.waited(envelope_id)).tick.success, true);
  equal((await readJson<AgentStatus>(again.files, "/status")).queue_depth, 0);
  await again.stop();
});

Deno.test("a higher limit ends the rest at once", async () => {
  const made = await working();
  await made.tick("10000");
  const { envelope_id } = await callJson<Receipt>(made.files, "/inbox", "1");
  await made.runtime.configure(ID, { limits: { max_daily_compute_ms: 20_000 } }, "ann");
  equal((await made.waited(envelope_id)).tick.success, true);
  await made.stop();
});
