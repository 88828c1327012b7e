/** `/approvals/`: a question is seen by everybody, answered by an operator, and its answer told to the agent. */
import type { Approval } from "../../src/core/approval.ts";
import { readJson, watch, writeText } from "../../src/fs/use.ts";
import { deepEqual, equal, match, rejects } from "../assert.ts";
import { type Spending, spending } from "./spending.ts";

/** Everything above a cent waits for a yes. */
const BUDGETS = {
  "/shop": {
    per_day_micro_usd: 1_000_000,
    approval_threshold_micro_usd: 10_000,
    approvers: [],
  },
};

/** A message that has been ticked behind the event of an answer. */
async function settled({ calls }: Spending): Promise<void> {
  await calls("/goals", {});
}

Deno.test("what costs too much is asked, passes once after a yes, and the agent is told", async () => {
  const made = await spending({ budgets: BUDGETS });
  const { files, buys, question, decide, sold, heard } = made;
  deepEqual(await buys(10_000), { got: "thing 1" });
  const { code, question: id } = await buys(20_000);
  equal(code, "approval_required");
  equal((await buys(20_000)).question, id, "the same request is one question");
  const asked = await question(id);
  deepEqual(
    [asked.state, asked.mount, asked.path, asked.amount_micro_usd, asked.reason, asked.request],
    ["pending", "/shop", "/shop", 20_000, "buys something", '{"amount":20000}'],
  );
  match(asked.envelope_id!, /^env_/);
  deepEqual(await readJson(files, "/approvals/open"), [asked]);
  deepEqual((await files.list("/approvals")).map(({ name }) => name), [id!, "open"]);

  await decide(id, "approve");
  deepEqual(await readJson(files, "/approvals/open"), []);
  const { state, decided_by } = await question(id);
  deepEqual([state, decided_by], ["approved", "operator"]);
  await settled(made);
  deepEqual(heard, [["approval", {
    approval_id: id,
    state: "approved",
    path: "/shop",
    mount: "/shop",
  }]]);
  equal((await buys(30_000)).code, "approval_required", "another request");
  deepEqual(await buys(20_000), { got: "thing 2" });
  equal((await question(id)).state, "used");
  equal((await buys(20_000)).code, "approval_required");
  deepEqual(sold, [10_000, 20_000]);
  await made.stop();
});

Deno.test("a no is a no", async () => {
  const { buys, decide, question, sold, stop } = await spending({ budgets: BUDGETS });
  const { question: id } = await buys(20_000);
  await decide(id, "deny");
  equal((await buys(20_000)).code, "permission_denied");
  equal((await question(id)).state, "denied");
  await rejects(decide(id, "approve"), { code: "conflict" });
  deepEqual(sold, []);
  await stop();
});

Deno.test("nobody answers but an operator, and with nothing but approve and deny", async () => {
  const { as, files, buys, calls, question, stop } = await spending({ budgets: BUDGETS });
  const { question: id } = await buys(20_000);
  const local = await as("local");
  deepEqual((await readJson<Approval>(local, `/approvals/${id}`)).id, id);
  await rejects(writeText(local, `/approvals/${id}`, "approve"), { code: "permission_denied" });
  equal((await calls(`/approvals/${id}`, "approve")).code, "permission_denied");
  for (const answer of ["yes", "", "approve deny", "x".repeat(100)]) {
    await rejects(writeText(files, `/approvals/${id}`, answer));
  }
  for (const name of ["apr_none", "__proto__", "open/x"]) {
    await rejects(writeText(files, `/approvals/${name}`, "approve"));
  }
  await rejects(writeText(files, "/approvals/open", "approve"), { code: "not_supported" });
  await rejects(files.remove(`/approvals/${id}`), { code: "not_supported" });
  equal((await question(id)).state, "pending");
  await stop();
});

Deno.test("a list in pages has each once, and open is the last", async () => {
  const { files, buys, backend, stop } = await spending({ budgets: BUDGETS });
  const ids: string[] = [];
  for (let amount = 20_001; amount <= 20_007; amount++) {
    await backend.clock.advance(1);
    ids.push((await buys(amount)).question!);
  }
  const names: string[] = [];
  while (true) {
    const after = names.at(-1);
    const page = await files.list("/approvals", { limit: 3, ...(after ? { after } : {}) });
    names.push(...page.map(({ name }) => name));
    if (page.length < 3) break;
  }
  deepEqual(names, [...ids, "open"]);
  const open = await readJson<Approval[]>(files, "/approvals/open");
  deepEqual(open.map(({ id }) => id), ids);
  await stop();
});

Deno.test("whoever watches is told of a new question and of its answer", async () => {
  const { files, buys, decide, stop } = await spending({ budgets: BUDGETS });
  const end = new AbortController();
  const all = await watch(files, "/approvals", { signal: end.signal });
  const next = all[Symbol.asyncIterator]();
  const first = next.next();
  const { question: id } = await buys(20_000);
  deepEqual((await first).value, { type: "created", name: id, state: "pending" });
  const one = await watch(files, `/approvals/${id}`, { signal: end.signal });
  const answered = one[Symbol.asyncIterator]().next();
  await decide(id, "deny");
  deepEqual((await answered).value, { type: "modified", state: "denied" });
  deepEqual((await next.next()).value, { type: "modified", name: id, state: "denied" });
  end.abort();
  await stop();
});
