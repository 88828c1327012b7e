/** What stops a task that nobody can go on with: each refusal is the answer, says what an operator can do, and leaves nothing behind. */
import assert from "../../assert.ts";
import { readJson, writeText } from "../../../src/fs/use.ts";
import { plays } from "../assistant/world.ts";
import { answer, BUDGETS, ID, type Options, PAID, type World, world } from "./world.ts";

const RIGHT = answer("right");

interface Refused extends Options {
  readonly what: string;
  /** In this order. */
  readonly told: readonly RegExp[];
  /** So long it is waited for. */
  readonly ms?: number;
  readonly before_?: (w: World) => unknown;
}

const CASES: readonly Refused[] = [
  {
    ...PAID,
    what: "no budget for models",
    request: { budgets: { "/containers": BUDGETS["/containers"]! } },
    told: [
      /^My budget does not allow this model call: .*budget_exceeded/,
      /agentd budget coder --set '\$1\/day' --mount \/compute/,
    ],
  },
  {
    ...PAID,
    what: "no budget for containers",
    request: { budgets: { "/compute": BUDGETS["/compute"]! } },
    told: [
      /^My budget does not allow this session: .*budget_exceeded/,
      /agentd budget coder --set '\$1\/day' --mount \/containers/,
      /It cost 2 micro-USD: 1 model call 2, 0 sessions 0\.$/,
    ],
  },
  {
    ...PAID,
    what: "too little left of the task's own limit",
    config: { max_cost_micro_usd: 50, max_tokens: 1 },
    before_: () => {},
    told: [/max_cost_micro_usd/, /Of max_cost_micro_usd in my config, \d+ micro-USD are left/],
  },
  {
    ...PAID,
    what: "a model call that a person has to allow",
    request: { budgets: { ...BUDGETS, "/compute": asking() } },
    told: [/^A person has to allow this model call first: .*agentd approve /, /agentd approvals/],
  },
  {
    ...PAID,
    what: "a session that a person has to allow",
    request: { budgets: { ...BUDGETS, "/containers": asking() } },
    told: [/^A person has to allow this session first: .*agentd approve /, /agentd approvals/],
  },
  {
    what: "no model at all",
    noModels: true,
    config: { model: undefined as unknown as string },
    ms: 500,
    told: [/^I have no model\./, /agentd create <id> coder --model <name>/],
  },
  {
    what: "a model that nobody has",
    config: { model: "none" },
    ms: 500,
    told: [/^I cannot have this model: .*"none"/, /agentd ls coder\/compute\/providers\//],
  },
  {
    what: "an engine that is down",
    before_: (w) => w.engine.status = "down",
    ms: 10_500,
    told: [
      /^No containers can be reached: .*the daemon does not answer; start it/,
      /agentd doctor, agentd ls coder\/containers\/providers\//,
    ],
  },
  {
    what: "an image that is not there",
    config: { image: "python:3" },
    told: [
      /^I cannot have this session: .*python:3 is not at docker/,
      /agentd images pull python:3/,
    ],
  },
  {
    what: "an image that is not allowed",
    config: { image: "debian:13" },
    told: [/^I may not have this session: .*debian:13/, /agentd cat coder\/containers\/policy/],
  },
  {
    what: "no mount of containers",
    request: { mounts: { "/containers": "disabled" } },
    told: [/^I (?:may not|cannot) have this session: /, /An operator /],
  },
];

function asking() {
  return { per_day_micro_usd: 1_000_000, approval_threshold_micro_usd: 1, approvers: [] };
}

for (const { what, told, ms = 0, before_, ...options } of CASES) {
  Deno.test(`coder: ${what} ends the task, with what to do`, async () => {
    const w = await world(plays(RIGHT), options);
    await before_?.(w);
    const one = await w.send("do it");
    // Who may come back is waited for, at growing distances.
    for (let left = ms; left > 0; left -= 500) {
      await w.until(({ tasks }) => tasks.length === 0 || tasks[0]!.waits?.kind === "tick");
      await w.backend.clock.advance(500);
    }
    const said = await w.reply(one);
    for (const pattern of told) assert.match(said, pattern);
    await w.mustRest();
    assert.deepEqual(w.engine.running(), []);
    for (const mount of ["/compute", "/containers"]) {
      if (what === "no mount of containers") break;
      const { day } = await readJson<{ day: { reserved_micro_usd: number } }>(
        w.files,
        `${mount}/usage`,
      );
      assert.equal(day.reserved_micro_usd, 0);
    }
    await w.stop();
  });
}

Deno.test("coder: an engine that comes back in time is waited for", async () => {
  const w = await world(plays(RIGHT));
  w.engine.status = "down";
  const one = await w.send("do it");
  await w.until(({ tasks }) => tasks[0]?.waits?.kind === "tick");
  w.engine.status = "up";
  await w.backend.clock.advance(500);
  assert.match(await w.reply(one), /^The test passed, at attempt 1/);
  assert.equal(w.model.calls.length, 1);
  await w.mustRest();
  await w.stop();
});

Deno.test("coder: after a person's yes, the same task passes", async () => {
  const w = await world(plays(RIGHT), {
    ...PAID,
    request: { budgets: { ...BUDGETS, "/compute": asking() } },
  });
  assert.match(await w.ask("do it"), /^A person has to allow this model call first/);
  const [approval] = (await w.files.list("/approvals", {})).filter(({ name }) => name !== "open");
  await writeText(w.files, `/approvals/${approval!.name}`, "approve");
  assert.match(await w.ask("do it"), /^The test passed, at attempt 1/);
  assert.equal((await w.runtime.info(ID)).state, "active");
  await w.stop();
});
