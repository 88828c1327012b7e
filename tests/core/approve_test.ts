/** A service at which everything that acts waits for a yes: looking is free, a yes is for one request, and what would be refused anyway asks nobody. */
import { approving, type Attempt, MAX_ASKED_BYTES } from "../../src/core/approve.ts";
import type { EnvelopeId } from "../../src/core/id.ts";
import type { Access } from "../../src/core/view.ts";
import type { FileError } from "../../src/fs/error.ts";
import { type FileService, MATCH_ANY } from "../../src/fs/file.ts";
import { memoryFiles } from "../../src/fs/memory.ts";
import { dir, file, refusal, tree } from "../../src/fs/tree.ts";
import { callText, readText, writeBytes, writeText } from "../../src/fs/use.ts";
import { deepEqual, equal, match, notEqual, ok, rejects } from "../assert.ts";
import { world } from "./approval_world.ts";

/** Answers calls by number, keeps what is written, and has a file that nobody may write. */
function shop() {
  const done: string[] = [];
  const text = (data: Uint8Array) => new TextDecoder().decode(data);
  const service = tree(dir({
    pay: file({
      call(data) {
        done.push(`pay ${text(data)}`);
        return `paid ${done.length}`;
      },
    }),
    note: file({
      read: () => done.join("\n"),
      write: (data) => void done.push(`note ${text(data)}`),
      append: (data) => void done.push(`more ${text(data)}`),
      remove: () => void done.push("removed"),
    }),
    sealed: file({ read: () => "", write: () => {}, only: { write: ["operator"] } }),
    strict: file({
      call() {
        throw refusal("budget_exceeded", "no money");
      },
    }),
  }));
  return { service, done };
}

async function asking(service: FileService, access: () => Access = () => "approve") {
  const { book, backend } = await world();
  let attempt: Attempt | undefined;
  const files = approving(service, { mount: "/shop", book, access, tick: () => attempt });
  const begin = (id: string) => {
    attempt = { frame: { envelopeId: id as EnvelopeId }, asked: [] };
  };
  begin("env_1");
  /** The id of the question that a refusal asks. */
  async function asked(run: () => Promise<unknown>): Promise<string> {
    let id: unknown;
    await rejects(run, (error: FileError) => {
      id = error.extra?.approval_id;
      return error.code === "approval_required";
    });
    return String(id);
  }
  return { files, book, begin, asked, backend };
}

Deno.test("looking is free, and at another access all of it passes as it is", async () => {
  const { service, done } = shop();
  let access: Access = "approve";
  const { files, asked } = await asking(service, () => access);
  equal(await readText(files, "/note"), "");
  deepEqual((await files.list("/")).map(({ name }) => name), ["note", "pay", "sealed", "strict"]);
  equal((await files.stat("/pay")).kind, "call");
  await asked(() => callText(files, "/pay", "5"));
  access = "read_write";
  equal(await callText(files, "/pay", "5"), "paid 1");
  deepEqual(done, ["pay 5"]);
});

Deno.test("a yes is for one request, and for one time", async () => {
  const { service, done } = shop();
  const { files, book, asked } = await asking(service);
  const id = await asked(() => callText(files, "/pay", "5"));
  equal(await asked(() => callText(files, "/pay", "5")), id, "asked twice, it is one question");
  notEqual(await asked(() => callText(files, "/pay", "6")), id);
  deepEqual(done, []);
  const question = (await book.get(id))!;
  deepEqual([question.path, question.op, question.request, question.envelope_id], [
    "/shop/pay",
    "call",
    "5",
    "env_1",
  ]);
  await book.decide(id, "approve", "ann");
  equal(await callText(files, "/pay", "5"), "paid 1");
  notEqual(await asked(() => callText(files, "/pay", "5")), id);
  deepEqual(done, ["pay 5"]);
});

Deno.test("writes, appends, removals and parts of files are different requests", async () => {
  const { service, done } = shop();
  const { files, book, asked } = await asking(service);
  const deeds: [string, () => Promise<unknown>][] = [
    ["note a", () => writeText(files, "/note", "a")],
    ["removed", () => files.remove("/note")],
  ];
  const ids = new Set<string>();
  for (const [, run] of deeds) ids.add(await asked(run));
  ids.add(await asked(() => writeText(files, "/note", "a", { match: MATCH_ANY })));
  ids.add(await asked(() => writeText(files, "/note", "a", { type: "text/html" })));
  const append = async () => {
    const handle = await files.open("/note", "append");
    await handle.write(new TextEncoder().encode("a"));
    await handle.close();
  };
  ids.add(await asked(append));
  equal(ids.size, 5);
  for (const id of ids) await book.decide(id, "approve", "ann");
  for (const [, run] of deeds) await run();
  await append();
  deepEqual(done, [...deeds.map(([deed]) => deed), "more a"]);
});

Deno.test("two at once with one yes: one passes", async () => {
  const { service, done } = shop();
  const { files, book, asked } = await asking(service);
  await book.decide(await asked(() => callText(files, "/pay", "5")), "approve", "ann");
  const both = await Promise.allSettled([1, 2, 3].map(() => callText(files, "/pay", "5")));
  equal(both.filter(({ status }) => status === "fulfilled").length, 1);
  deepEqual(done, ["pay 5"]);
});

Deno.test("a further try of the same envelope passes as far as it came before; another envelope does not", async () => {
  const { service, done } = shop();
  const { files, book, begin, asked } = await asking(service);
  const pay = () => callText(files, "/pay", "5");
  await book.decide(await asked(pay), "approve", "ann");
  begin("env_1");
  await pay();
  const second = await asked(pay);
  begin("env_1");
  await pay();
  equal(await asked(pay), second);
  await book.decide(second, "approve", "ann");
  begin("env_1");
  await pay();
  await pay();
  await asked(pay);
  begin("env_2");
  await asked(pay);
  equal(done.length, 4);
});

Deno.test("what would be refused anyway, or is let go, asks nobody", async () => {
  const { service } = shop();
  const { files, book } = await asking(service);
  await rejects(writeText(files, "/sealed", "x"), { code: "permission_denied" });
  await rejects(callText(files, "/nowhere", "x"), { code: "not_found" });
  await rejects(callText(files, "/note", "x"), { code: "not_supported" });
  await rejects(files.remove("/nowhere"), { code: "not_found" });
  const large = new Uint8Array(MAX_ASKED_BYTES + 1);
  await rejects(writeBytes(files, "/note", large), { code: "too_large" });
  const stop = new AbortController();
  const handle = await files.open("/note", "write", { signal: stop.signal });
  await handle.write(new Uint8Array(3));
  stop.abort();
  await rejects(handle.close(), { code: "interrupted" });
  const unused = await files.open("/pay", "call");
  await unused.close();
  deepEqual(await book.list({ limit: 10 }), []);
});

Deno.test("a refusal behind the yes is the caller's, and a no stands", async () => {
  const { service } = shop();
  const { files, book, asked } = await asking(service);
  const id = await asked(() => callText(files, "/strict", "5"));
  await book.decide(id, "approve", "ann");
  await rejects(callText(files, "/strict", "5"), { code: "budget_exceeded" });
  const other = await asked(() => callText(files, "/pay", "5"));
  await book.decide(other, "deny", "ann");
  await rejects(callText(files, "/pay", "5"), { code: "permission_denied" });
});

Deno.test("bytes pass as they are, and are shown as what they are", async () => {
  const { backend } = await world();
  const inner = memoryFiles({ now: () => backend.now() });
  const { files, book, asked } = await asking(inner);
  const bytes = Uint8Array.from([255, 0, 254]);
  const write = () => writeBytes(files, "/picture", bytes, { offset: 0 });
  const id = await asked(write);
  const { request } = (await book.get(id))!;
  match(request, /^\(from byte 0 on\)\n\(3 bytes that are no text, SHA-256 [0-9a-f]{64}\)$/);
  await rejects(inner.stat("/picture"), { code: "not_found" });
  await book.decide(id, "approve", "ann");
  await write();
  ok((await inner.stat("/picture")).size === 3);
});
