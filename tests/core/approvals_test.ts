/** Questions to people: asked once, answered once, passed once, whatever comes in between. */
import { memoryBackend } from "../../src/backends/memory.ts";
import { type Approval, APPROVAL_TTL_MS, MAX_APPROVALS } from "../../src/core/approval.ts";
import {
  type ApprovalBook,
  approvalRequired,
  type Question,
  questionDigest,
} from "../../src/core/approvals.ts";
import { agentId, type EnvelopeId } from "../../src/core/id.ts";
import { hasCode } from "../../src/fs/error.ts";
import { deepEqual, equal, match, notEqual, ok, rejects, throws } from "../assert.ts";
import { world } from "./approval_world.ts";

const code = (wanted: Parameters<typeof hasCode>[1]) => (error: unknown) => hasCode(error, wanted);

function question(of: Partial<Question> = {}): Question {
  const request = of.request ?? '{"amount":1}';
  return {
    mount: "/wallet",
    path: "/wallet/pay",
    op: "call",
    digest: questionDigest("/wallet", "call", "/wallet/pay", request),
    amountMicroUsd: 5,
    reason: "pay the bill",
    envelopeId: "env_1" as EnvelopeId,
    ...of,
    request,
  };
}

async function all(book: ApprovalBook): Promise<Approval[]> {
  return await book.list({ limit: 1000 });
}

Deno.test("a question is asked once, however often and at once it is asked", async () => {
  const { book, traced, backend } = await world();
  const asked = await Promise.all(Array.from({ length: 8 }, () => book.ask(question())));
  equal(new Set(asked.map(({ id }) => id)).size, 1);
  const [only, ...more] = await all(book);
  equal(more.length, 0);
  deepEqual(only, asked[0]);
  equal(only!.state, "pending");
  match(only!.id, /^apr_[0-9a-f-]{36}$/);
  equal(Date.parse(only!.expires_at) - backend.now(), APPROVAL_TTL_MS);
  equal(traced.length, 1);
  deepEqual(await book.find(only!.request_digest), only);
  equal(await book.find("0".repeat(64)), undefined);
  // Another process over the same rows finds it too.
  const again = await world(backend.reopen());
  deepEqual(await again.book.ask(question()), only);
});

Deno.test("the same request passes once after a yes, and is asked anew the next time", async () => {
  const { book, storage, inbox } = await world();
  const asked = await book.ask(question());
  throws(() => book.use(asked), code("conflict"), "a question without an answer opens nothing");
  const yes = await book.decide(asked.id, "approve", "ann");
  deepEqual([yes.state, yes.decided_by], ["approved", "ann"]);
  const found = await book.find(asked.request_digest);
  deepEqual(found, yes);
  const use = book.use({ ...found! });
  await storage.commit(use);
  await rejects(storage.commit(use), code("conflict"));
  await rejects(storage.commit(book.use(yes)), code("conflict"));
  equal((await book.get(asked.id))!.state, "used");
  equal(await book.find(asked.request_digest), undefined);
  const next = await book.ask(question());
  notEqual(next.id, asked.id);
  const [envelope] = [...inbox.queue.all()];
  equal(envelope!.id, `approval:${asked.id}`);
  deepEqual((await inbox.load(envelope!)).payload, {
    kind: "json",
    data: {
      event: "approval",
      approval_id: asked.id,
      state: "approved",
      path: "/wallet/pay",
      mount: "/wallet",
    },
  });
});

Deno.test("two answers at once: one counts, the agent is told once, though its inbox is full", async () => {
  const { book, inbox } = await world();
  const one = await book.ask(question());
  const two = await book.ask(question({ request: "other", digest: "d".repeat(64) }));
  const answers = await Promise.allSettled([
    book.decide(one.id, "approve", "ann"),
    book.decide(one.id, "deny", "bob"),
    book.decide(one.id, "approve", "eve"),
  ]);
  equal(answers.filter(({ status }) => status === "fulfilled").length, 1);
  for (const answer of answers) {
    if (answer.status === "rejected") ok(hasCode(answer.reason, "conflict"));
  }
  await rejects(book.decide(one.id, "approve", "ann"), code("conflict"));
  await book.decide(two.id, "deny", "ann");
  deepEqual([...inbox.queue.all()].map(({ id }) => id), [
    `approval:${one.id}`,
    `approval:${two.id}`,
  ]);
  await rejects(book.decide("apr_none", "deny", "ann"), code("not_found"));
});

Deno.test("a no stands as long as a question does, and then it may be asked again", async () => {
  const { book, backend } = await world();
  const asked = await book.ask(question());
  await book.decide(asked.id, "deny", "ann");
  equal(await book.find(asked.request_digest), undefined);
  await rejects(book.ask(question()), code("permission_denied"));
  await backend.clock.advance(APPROVAL_TTL_MS);
  const next = await book.ask(question());
  equal(next.state, "pending");
  equal((await book.get(asked.id))!.state, "denied");
});

Deno.test("what nobody answers expires by the clock, and so does a yes that nobody uses", async () => {
  const { book, storage, backend } = await world();
  const asked = await book.ask(question());
  const other = await book.ask(question({ digest: "d".repeat(64) }));
  await backend.clock.advance(APPROVAL_TTL_MS - 1);
  const yes = await book.decide(other.id, "approve", "ann");
  await backend.clock.advance(1);
  equal((await book.get(asked.id))!.state, "expired");
  equal((await book.get(other.id))!.state, "approved");
  await rejects(book.decide(asked.id, "approve", "ann"), code("not_ready"));
  const next = await book.ask(question());
  notEqual(next.id, asked.id);

  await backend.clock.advance(APPROVAL_TTL_MS);
  equal(await book.find("d".repeat(64)), undefined);
  await book.ask(question({ digest: "d".repeat(64) }));
  await rejects(storage.commit(book.use(yes)), code("conflict"));
});

Deno.test("so many questions wait at the most, and ended ones go away in time", async () => {
  const { book, backend } = await world();
  const digest = (n: number) => String(n).padStart(64, "0");
  const asking = Array.from(
    { length: MAX_APPROVALS + 5 },
    (_, n) => book.ask(question({ digest: digest(n) })),
  );
  const asked = await Promise.allSettled(asking);
  const refused = asked.filter((one) => one.status === "rejected");
  equal(refused.length, 5);
  for (const { reason } of refused) ok(hasCode(reason, "rate_limited"));
  const first = (await all(book))[0]!;
  await book.decide(first.id, "approve", "ann");
  await book.ask(question({ digest: digest(500) }));
  await rejects(book.ask(question({ digest: digest(501) })), code("rate_limited"));

  await backend.clock.advance(APPROVAL_TTL_MS);
  await book.ask(question({ digest: digest(502) }));
  await backend.clock.advance(7 * 86_400_000 + APPROVAL_TTL_MS);
  for (let n = 600; n < 620; n++) await book.ask(question({ digest: digest(n) }));
  const left = await all(book);
  equal(left.length, 20);
  const rows = backend.rows().get(agentId("bob"))!;
  const standing = [...rows.keys()].filter((key) => key.startsWith("question/"));
  equal(standing.length, 20, "no row is left of what has gone");
});

Deno.test("what has passed in an envelope is remembered for its further tries, and for no other", async () => {
  const { book, traced } = await world();
  const [one, two] = ["env_1", "env_2"] as EnvelopeId[];
  for (const times of [1, 2]) {
    const asked = await book.ask(question());
    const yes = await book.decide(asked.id, "approve", "ann");
    await book.pass(yes, one!);
    await rejects(book.pass(yes, one!), code("conflict"));
    equal(await book.passed(asked.request_digest, one!), times);
    equal(await book.passed(asked.request_digest, two!), 0);
    equal(await book.find(asked.request_digest), undefined);
  }
  const asked = await book.ask(question());
  await book.pass(await book.decide(asked.id, "approve", "ann"), null);
  equal(await book.passed(asked.request_digest, one!), 2);
  equal(traced.filter(({ action }) => action === "used").length, 3);
});

Deno.test("a question shows no secret, and only the beginning of what is long", async () => {
  const { book } = await world(memoryBackend(), (text) => text.replaceAll("hunter2", "***"));
  const asked = await book.ask(question({
    request: "hunter2 " + "x".repeat(10_000),
    reason: "log in with hunter2",
  }));
  match(asked.request, /^\*\*\* x+…$/);
  ok(asked.request.length <= 4_096);
  equal(asked.reason, "log in with ***");
});

Deno.test("whoever watches is told of each change", async () => {
  const { book, storage } = await world();
  const stop = new AbortController();
  const seen: string[] = [];
  const watching = (async () => {
    for await (const { state } of book.watch(stop.signal)) {
      seen.push(state);
      if (state === "used") return;
    }
  })();
  const asked = await book.ask(question());
  const yes = await book.decide(asked.id, "approve", "ann");
  await storage.commit(book.use(yes));
  await watching;
  equal(seen.at(-1), "used");
  ok(seen.length >= 1);
});

Deno.test("a refusal says which command lets it pass", async () => {
  const { book } = await world();
  const asked = await book.ask(question());
  const error = approvalRequired(asked);
  equal(error.code, "approval_required");
  match(error.detail!, new RegExp(`agentd approve ${asked.id}`));
  deepEqual(error.extra, {
    approval_id: asked.id,
    approval_path: `/approvals/${asked.id}`,
    amount_micro_usd: 5,
  });
});
