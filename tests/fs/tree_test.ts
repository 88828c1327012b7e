/** What the kit adds to the laws: who may, what rows are asked, and how. */
import assert from "../assert.ts";
import type { FileError } from "../../src/fs/error.ts";
import { MAX_LIST, type Mode } from "../../src/fs/file.ts";
import { dir, each, file, type FileRow, type Node, refusal, tree } from "../../src/fs/tree.ts";
import { call, entries, readText, writeText } from "../../src/fs/use.ts";

const MODES: readonly Mode[] = ["read", "write", "append", "call", "watch"];

async function codeOf(run: () => Promise<unknown>): Promise<string> {
  return await run().then(() => "done", (error: FileError) => error.code);
}

/** How `tree(root, viewer)` answers an open in each mode. */
async function opens(row: FileRow, viewer?: string): Promise<Record<string, string>> {
  const files = tree(file(row), viewer);
  const answers: Record<string, string> = {};
  for (const mode of MODES) {
    const leave = new AbortController();
    answers[mode] = await codeOf(async () => {
      const handle = await files.open("/", mode, { signal: leave.signal });
      leave.abort();
      await handle.close().catch(() => {});
    });
  }
  return answers;
}

async function* nothing() {}

Deno.test("a mode exists only if its function is declared", async () => {
  const row = { read: () => "", watch: nothing };
  assert.deepEqual(await opens(row), {
    read: "done",
    write: "not_supported",
    append: "not_supported",
    call: "not_supported",
    watch: "done",
  });
  assert.deepEqual((await tree(file(row)).stat("/")).modes, ["read", "watch"]);
  assert.deepEqual((await tree(file({})).stat("/")).modes, []);
});

Deno.test("what another viewer may is permission_denied, what nobody may not_supported", async () => {
  const row: FileRow = {
    read: () => "",
    write: () => {},
    append: () => {},
    call: () => "",
    only: { write: ["operator", "local"], append: [], call: ["agent"] },
  };
  const expected: [string | undefined, string, string, Mode[]][] = [
    ["operator", "done", "permission_denied", ["read", "write"]],
    ["agent", "permission_denied", "done", ["read", "call"]],
    [undefined, "permission_denied", "permission_denied", ["read"]],
  ];
  for (const [viewer, write, call, modes] of expected) {
    const answers = await opens(row, viewer);
    const want = { read: "done", write, append: "not_supported", call, watch: "not_supported" };
    assert.deepEqual(answers, want);
    assert.deepEqual((await tree(file(row), viewer).stat("/")).modes, modes);
  }
});

Deno.test("removal is a right of its own", async () => {
  let removed = 0;
  const row: FileRow = { remove: () => void removed++, only: { remove: ["operator"] } };
  const root = dir({ f: file(row), stays: file({ read: () => "" }), d: dir({}) });
  assert.equal(await codeOf(() => tree(root, "agent").remove("/f")), "permission_denied");
  assert.equal(await codeOf(() => tree(root, "operator").remove("/stays")), "not_supported");
  assert.equal(await codeOf(() => tree(root, "operator").remove("/d")), "not_supported");
  assert.equal(await codeOf(() => tree(root, "operator").remove("/")), "not_supported");
  assert.equal(removed, 0);
  await tree(root, "operator").remove("/f");
  assert.equal(removed, 1);
});

Deno.test("a file that never had versions matches *any*, and no version", async () => {
  let wrote = 0;
  const files = tree(file({ write: () => void wrote++, remove: () => void wrote++ }));
  for (const match of ["1", "*none*", "unversioned"]) {
    assert.equal(await codeOf(() => writeText(files, "/", "x", { match })), "precondition_failed");
    assert.equal(await codeOf(() => files.remove("/", { match })), "precondition_failed");
  }
  assert.equal(await codeOf(() => writeText(files, "/", "x", { match: "" })), "invalid_request");
  assert.equal(wrote, 0);
  await writeText(files, "/", "x", { match: "*any*" });
  assert.equal(wrote, 1);
});

Deno.test("a directory takes the modes of its row, and is never read", async () => {
  const posted: string[] = [];
  const inbox = dir({ "1": file({ read: () => "one" }) }, {
    read: () => "never",
    append: (data) => void posted.push(new TextDecoder().decode(data)),
    call: () => "receipt",
    about: "post here",
    only: { append: ["agent"] },
  });
  const files = tree(dir({ inbox }), "agent");
  const { dir: isDir, modes, kind, about } = await files.stat("/inbox");
  assert.deepEqual([isDir, modes, kind, about], [true, ["append", "call"], "value", "post here"]);
  assert.equal(new TextDecoder().decode(await call(files, "/inbox/", "x")), "receipt");
  await (await files.open("/inbox", "append")).close();
  assert.deepEqual(posted, [""]);
  for (const mode of ["read", "write", "watch"] as const) {
    assert.equal(await codeOf(() => files.open("/inbox", mode)), "is_directory");
  }
  const other = tree(dir({ inbox }), "public");
  assert.equal(await codeOf(() => other.open("/inbox", "append")), "permission_denied");
});

Deno.test("stat tells the row's type and words, and what is known of the file right now", async () => {
  const files = tree(dir({
    json: file({ read: () => "{}", type: "application/json", about: "an object" }),
    typed: file({
      read: () => "",
      type: "text/plain",
      stat: () => ({ type: "image/png", size: 3, modified: 5, version: "v", other: "hidden" }),
    }),
    ask: file({ call: () => "" }),
    both: file({ call: () => "", read: () => "" }),
    trace: file({ watch: nothing, kind: "stream" }),
    absent: file({ stat: () => undefined, read: () => "", write: () => {} }),
  }));
  const named = { dir: false, modes: ["read"], kind: "value" };
  assert.deepEqual(await files.stat("/json"), {
    name: "json",
    ...named,
    type: "application/json",
    about: "an object",
  });
  assert.deepEqual(await files.stat("/typed"), {
    name: "typed",
    ...named,
    size: 3,
    modified: 5,
    version: "v",
    type: "image/png",
  });
  assert.equal((await files.stat("/ask")).kind, "call");
  assert.equal((await files.stat("/both")).kind, "value");
  assert.equal((await files.stat("/trace")).kind, "stream");
  assert.deepEqual((await files.list("/")).map((e) => e.name), [
    "ask",
    "both",
    "json",
    "trace",
    "typed",
  ]);
  assert.deepEqual((await files.list("/"))[4], { name: "typed", dir: false, size: 3, modified: 5 });
});

Deno.test("each is told what a name is for, and whether it is the last one", async () => {
  const uses: string[] = [];
  const node = (path: string): Node =>
    each({
      list: () => [],
      get(name, { op, last }) {
        const at = `${path}/${name}`;
        uses.push(`${op} ${at}${last ? "" : "/"}`);
        return last && op !== "list" ? file({ write: () => {}, read: () => "" }) : node(at);
      },
    });
  const files = tree(node(""));
  await files.stat("/a/b");
  await files.list("/a/b");
  await (await files.open("/a/b", "write")).close();
  await assert.rejects(files.open("/a", "call"));
  await assert.rejects(files.remove("/a"));
  assert.deepEqual(uses, [
    "stat /a/",
    "stat /a/b",
    "list /a/",
    "list /a/b",
    "write /a/",
    "write /a/b",
    "call /a",
    "remove /a",
  ]);
});

Deno.test("rows are listed within the cap, whatever they give", async () => {
  const limits: number[] = [];
  const files = tree(each({
    get: () => undefined,
    list({ limit, after = "-1" }) {
      limits.push(limit);
      const first = Number(after) + 1;
      return Array.from({ length: 5000 - first }, (_, i) => ({ name: `${first + i}`, dir: false }));
    },
  }));
  assert.equal((await files.list("/")).length, MAX_LIST);
  assert.equal((await files.list("/", { limit: 7 })).length, 7);
  assert.equal((await files.list("/", { limit: 1e9 })).length, MAX_LIST);
  assert.deepEqual(limits, [1000, 7, 1000]);
  const names = (await Array.fromAsync(entries(files, "/"))).map((e) => e.name);
  assert.deepEqual(names, Array.from({ length: 5000 }, (_, i) => `${i}`));
});

Deno.test("a name that cannot be a segment cannot be declared", () => {
  for (const name of ["", "..", "a/b", "a\nb"]) {
    assert.throws(() => dir({ [name]: file({}) }), { code: "invalid_path", op: "declare" });
  }
});

Deno.test("a row's refusal is told with the caller's path, its other errors as internal", async () => {
  const files = tree(dir({
    refuses: file({
      read: () => {
        throw refusal("not_ready", "come back later", { remaining: 3 });
      },
    }),
    breaks: file({
      read: () => {
        throw new Error("secret");
      },
    }),
    late: file({
      async *read() {
        yield new Uint8Array([1]);
        throw await Promise.resolve(new Error("secret"));
      },
    }),
  }));
  await assert.rejects(files.open("/refuses", "read"), {
    message: 'Cannot open "/refuses": not_ready (come back later)',
    path: "/refuses",
    extra: { remaining: 3 },
  });
  await assert.rejects(files.open("/breaks", "read"), {
    message: 'Cannot open "/breaks": internal',
  });
  const handle = await files.open("/late", "read");
  await handle.read();
  await assert.rejects(handle.read(), { message: 'Cannot read "/late": internal' });
  await assert.rejects(handle.read(), { message: 'Cannot read "/late": internal' });
  await handle.close();
  await assert.rejects(readText(files, "/late"), { code: "internal" });
});

Deno.test("what can only be called says what a call is to whoever reads it, and not to who may not call", async () => {
  const root = dir({
    new: file({ about: "begins: { what }", only: { call: ["agent"] }, call: () => "" }),
  });
  const read = (viewer: "agent" | "operator") => readText(tree(root, viewer), "/new");
  await assert.rejects(read("agent"), {
    code: "not_supported",
    message: /it takes call: begins: \{ what \}/,
  });
  await assert.rejects(read("operator"), { code: "not_supported", message: /it takes no open/ });
});
