/** Scoped tokens: told once, kept as digests, and gone with all that is open under them. */
import { createAgentd } from "../../src/agentd.ts";
import { type MemoryBackend, memoryBackend } from "../../src/backends/memory.ts";
import { decodeText } from "../../src/core/code.ts";
import { agentId } from "../../src/core/id.ts";
import { TOKENS } from "../../src/core/keys.ts";
import type { Principal, Runtime } from "../../src/core/runtime.ts";
import { openTokens, TOKEN_PREFIX } from "../../src/core/tokens.ts";
import type { FileService } from "../../src/fs/file.ts";
import { hasCode } from "../../src/fs/error.ts";
import { writeText } from "../../src/fs/use.ts";
import { memorySigner } from "../../src/providers/signer/memory.ts";
import { deepEqual, equal, match, ok, rejects } from "../assert.ts";

const ID = agentId("bob");
const HOUR_MS = 3_600_000;
const decoder = new TextDecoder();

interface World {
  readonly backend: MemoryBackend;
  readonly runtime: Runtime;
}

async function world(): Promise<World> {
  const backend = memoryBackend();
  const runtime = await createAgentd({ backend, signer: memorySigner() });
  await runtime.create({ id: ID, agent: "echo" });
  return { backend, runtime };
}

/** The agent's files as the holder of a token has them. */
async function filesOf({ runtime }: World, token: string): Promise<FileService> {
  const grant = runtime.tokens.find(token)!;
  const principal: Principal = { viewer: "operator", name: grant.name, grant };
  return await runtime.files(ID, principal);
}

Deno.test("a token is told once: what is kept does not let anybody in, and is found again by the next runtime", async () => {
  const { backend } = await world();
  const tokens = await openTokens(backend);
  const { grant, token } = await tokens.create({ agents: [ID], can: "send", name: "ci" });
  match(token, new RegExp(`^${TOKEN_PREFIX}${grant.id}_[A-Za-z0-9_-]{43}$`));
  const [row] = backend.rows().get(TOKENS)!.values();
  ok(!decodeText(row!).includes(token.split("_").at(-1)!), "the secret is in the row");
  deepEqual(tokens.list(), [grant]);
  const again = await openTokens(backend);
  const { revoked, ...found } = again.find(token)!;
  deepEqual(found, grant);
  equal(revoked?.aborted, false);
  for (
    const wrong of [
      "",
      TOKEN_PREFIX,
      token.slice(0, -1),
      `${token}x`,
      token.toUpperCase(),
      `${TOKEN_PREFIX}${grant.id}_`,
    ]
  ) equal(again.find(wrong), undefined, wrong);
});

Deno.test("a token ends by its time and when it is revoked, also for the next runtime", async () => {
  const { backend } = await world();
  const tokens = await openTokens(backend);
  const now = backend.now();
  const short = await tokens.create({ agents: "*", can: "read", expiresAt: now + HOUR_MS });
  const long = await tokens.create({ agents: "*", can: "read" });
  await backend.clock.advance(HOUR_MS - 1);
  ok(tokens.find(short.token));
  await backend.clock.advance(1);
  equal(tokens.find(short.token), undefined);
  ok(tokens.find(long.token));
  await tokens.revoke(long.grant.id);
  equal(tokens.find(long.token), undefined);
  const again = await openTokens(backend);
  equal(again.find(long.token), undefined);
  deepEqual(again.list(), [short.grant]);
  await rejects(tokens.revoke(long.grant.id), (error) => hasCode(error, "not_found"));
});

Deno.test("a token that makes no sense is not made", async () => {
  const { backend } = await world();
  const tokens = await openTokens(backend);
  const good = { agents: [ID], can: "read" } as const;
  const bad: Parameters<typeof tokens.create>[0][] = [
    { ...good, agents: [] },
    { ...good, agents: ["No Agent"] },
    { ...good, agents: Array.from({ length: 1_001 }, (_, i) => `a${i}`) },
    { ...good, can: "everything" as never },
    { ...good, expiresAt: backend.now() },
    { ...good, expiresAt: NaN },
    { ...good, expiresAt: Infinity },
    ...["", "two words", "x".repeat(101), "operator", "Local", "-", "a\nb"].map((name) => ({
      ...good,
      name,
    })),
  ];
  for (const request of bad) {
    const told = JSON.stringify(request).slice(0, 80);
    await rejects(tokens.create(request), (error) => hasCode(error, "invalid_request"), told);
  }
  deepEqual(tokens.list(), []);
});

Deno.test("what is open under a token ends with it, and gives nothing of what comes afterwards", async () => {
  const at = await world();
  const { runtime, backend } = at;
  const operator = await runtime.files(ID, { viewer: "operator", name: "operator" });
  const { grant, token } = await runtime.tokens.create({ agents: [ID], can: "operate" });
  const mine = await filesOf(at, token);
  await writeText(operator, "/files/x", "secret");
  const idle = await mine.open("/outbox", "watch");
  const waiting = idle.read();
  const watch = await mine.open("/files/", "watch");
  const write = await mine.open("/files/mine", "write");
  await write.write(new TextEncoder().encode("half"));
  const read = await mine.open("/files/x", "read");
  await runtime.tokens.revoke(grant.id);
  await writeText(operator, "/files/y", "later");
  const refused = (error: unknown) => hasCode(error, "auth_required");
  await rejects(waiting, refused, "a watch that waits");
  await rejects(watch.read(), refused, "a watch with something to tell");
  await rejects(read.read(), refused, "a read");
  await rejects(write.close(), refused, "a write that is not committed yet");
  await rejects(mine.open("/status", "read"), refused, "another open");
  await rejects(operator.stat("/files/mine"), (error) => hasCode(error, "not_found"));
  const { token: second } = await runtime.tokens.create({
    agents: [ID],
    can: "read",
    expiresAt: backend.now() + HOUR_MS,
  });
  const theirs = await filesOf(at, second);
  const overdue = await theirs.open("/files/", "watch");
  await backend.clock.advance(HOUR_MS);
  await writeText(operator, "/files/z", "after its time");
  await rejects(overdue.read(), refused, "a watch whose time is over");
});

Deno.test("a token's files are its own: another one of the same name goes no further than it may", async () => {
  const at = await world();
  const { runtime } = at;
  const all = await runtime.tokens.create({ agents: [ID], can: "operate", name: "twin" });
  const few = await runtime.tokens.create({ agents: [ID], can: "read", name: "twin" });
  await writeText(await filesOf(at, all.token), "/files/x", "by the first");
  await rejects(
    writeText(await filesOf(at, few.token), "/files/x", "by the second"),
    (error) => hasCode(error, "permission_denied"),
  );
  const handle = await (await filesOf(at, few.token)).open("/files/x", "read");
  equal(decoder.decode(await handle.read()), "by the first");
});
