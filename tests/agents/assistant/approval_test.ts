/** What a person has to allow: the assistant waits for the answer, and takes a no for one. */
import assert from "../../assert.ts";
import type { EnvelopeId } from "../../../src/core/id.ts";
import { writeText } from "../../../src/fs/use.ts";
import {
  begun,
  held,
  isAsked,
  messagesOf,
  mustBeWhole,
  PAID,
  plays,
  type Say,
  test,
  world,
} from "./world.ts";

test("a step that a person has to allow waits for the yes", () => plays("Thanks."), async (w) => {
  let one: EnvelopeId;
  const approval = await isAsked(w, async () => (one = await w.send("1")));
  assert.equal(approval.path, "/compute/new");
  assert.equal(w.model.calls.length, 0);
  await writeText(w.files, `/approvals/${approval.id}`, "approve");
  assert.deepEqual(await w.replies(one!), ["Thanks."]);
}, {
  ...PAID,
  request: {
    budgets: {
      "/compute": {
        per_day_micro_usd: 1_000_000,
        approval_threshold_micro_usd: 1,
        approvers: [],
      },
    },
  },
});

test("a no to a step ends the answer", () => plays(), async (w) => {
  let one: EnvelopeId;
  const approval = await isAsked(w, async () => (one = await w.send("1")));
  await writeText(w.files, `/approvals/${approval.id}`, "deny");
  assert.deepEqual(await w.replies(one!), [
    "I was not allowed to ask the model: a person has said no.",
  ]);
}, {
  ...PAID,
  request: {
    budgets: {
      "/compute": {
        per_day_micro_usd: 1_000_000,
        approval_threshold_micro_usd: 1,
        approvers: [],
      },
    },
  },
});

const WRITES: Say = [["write", { path: "/files/a", content: "x" }], ["list", { path: "/files" }]];

for (
  const [answer, results] of [["approve", ["written", "a  1 bytes"]], ["deny", [
    "Error: a person was asked and has said no.",
    "(empty)",
  ]]] as const
) {
  test(
    `a file that a person has to allow waits for the answer: ${answer}`,
    () => plays(WRITES, "So be it."),
    async (w) => {
      let one: EnvelopeId;
      const approval = await isAsked(w, async () => (one = await w.send("1")));
      assert.deepEqual([approval.op, approval.path], ["write", "/files/a"]);
      assert.equal(w.model.calls.length, 1);
      await writeText(w.files, `/approvals/${approval.id}`, answer);
      assert.deepEqual(await w.replies(one!), ["So be it."]);
      const messages = messagesOf(w.model.calls[1]);
      mustBeWhole(messages);
      assert.deepEqual(messages.slice(-2).map(({ content }) => content), results);
    },
    { request: { mounts: { "/files": "approve" } } },
  );
}

Deno.test("assistant: nobody answers, and that is told in the end", async () => {
  const w = await world(plays(WRITES, "Yes."), { request: { mounts: { "/files": "approve" } } });
  let one: EnvelopeId;
  await isAsked(w, async () => (one = await w.send("1")));
  await w.backend.clock.advance(25 * 3_600_000);
  assert.deepEqual(await w.replies(one!), ["I stopped: nobody has said whether I may go on."]);
  assert.equal(await w.ask("2"), "Yes.");
  mustBeWhole(messagesOf(w.model.calls[1]));
  await w.runtime.stop(0);
});

Deno.test("assistant: the time in which a person is waited for is not the answer's", async () => {
  const [first, second] = [held(), held()];
  const w = await world(plays(first.script, second.script), {
    config: { model: "m", max_answer_ms: 5_000 },
    request: { mounts: { "/files": "approve" } },
  });
  const one = await begun(w, "1");
  await w.backend.clock.advance(4_000);
  const approval = await isAsked(w, () => first.say(WRITES));
  await w.backend.clock.advance(60_000);
  await writeText(w.files, `/approvals/${approval.id}`, "approve");
  await second.begun;
  await w.backend.clock.advance(999);
  assert.notEqual((await w.memory()).question, null);
  await w.backend.clock.advance(1);
  assert.match((await w.replies(one))[0]!, /^I stopped: there was no answer within 5 s/);
  await w.runtime.stop(0);
});
