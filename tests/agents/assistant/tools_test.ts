/** An assistant's tools are its files: what they give is bounded, and a refusal is told to the model and not thrown. */
import assert from "../../assert.ts";
import { runTool, TOOLS } from "../../../src/agents/assistant/tools.ts";
import { manualClock } from "../../../src/backends/manual_clock.ts";
import { FileError } from "../../../src/fs/error.ts";
import { dir, file, tree } from "../../../src/fs/tree.ts";
import { makeContext } from "../../../src/hosts/context.ts";
import { makePort, makeRun, type PortRecord } from "../../hosts/port.ts";

function table(port: PortRecord = makePort(), maxResultBytes = 1_000) {
  const clock = manualClock();
  const { ctx } = makeContext(makeRun({}), port, {}, () => new Uint8Array(32));
  const limits = { maxResultBytes, maxWatchMs: 30_000, timer: clock.timer };
  const use = (name: string, args: unknown) => {
    const text = typeof args === "string" ? args : JSON.stringify(args);
    return runTool(
      { id: "1", type: "function", function: { name, arguments: text } },
      ctx,
      limits,
    );
  };
  return { port, clock, use };
}

const bytes = (text: string) => new TextEncoder().encode(text);

Deno.test("the tools are five, each told as chat completions want it", () => {
  assert.deepEqual(TOOLS.map((tool) => tool.function.name), [
    "list",
    "read",
    "write",
    "call",
    "watch",
  ]);
  for (const { type, function: { parameters } } of TOOLS) {
    assert.equal(type, "function");
    assert.equal(parameters!.type, "object");
    assert.ok((parameters!.required as string[]).includes("path"));
    for (const property of Object.values(parameters!.properties as object)) {
      const { type, description: _, ...more } = property;
      assert.ok(["string", "integer", "number", "boolean"].includes(type), type);
      assert.deepEqual(more, {}, "no more than every server understands");
    }
  }
});

Deno.test("files are written, added to, listed and read", async () => {
  const { use, port } = table();
  assert.equal(await use("list", { path: "/files" }), "(empty)");
  assert.equal(await use("write", { path: "/files/a", content: "one" }), "written");
  assert.equal(await use("write", { path: "/files/a", content: " two", append: true }), "appended");
  assert.equal(new TextDecoder().decode(port.disk.get("a")), "one two");
  assert.equal(await use("read", { path: "/files/a" }), "one two");
  assert.equal(await use("read", { path: "/files/a", offset: 4 }), "two");
  assert.equal(await use("list", { path: "/files" }), "a  7 bytes");
  assert.match(await use("list", { path: "/" }), /^files\/$/m);
});

Deno.test("a call takes JSON or text and gives its answer", async () => {
  const { use } = table();
  assert.equal(await use("call", { path: "/upper", request: "hi" }), "HI");
  assert.equal(await use("call", { path: "/plain", request: { a: 1 } }), 'you said {"a":1}');
});

Deno.test("what a model leaves out by a null is left out", async () => {
  const { use } = table();
  assert.equal(await use("write", { path: "/files/a", content: "x", append: null }), "written");
  assert.equal(await use("read", { path: "/files/a", offset: null, after: null }), "x");
  assert.match(await use("read", { path: null }), /^Error: path: /);
});

Deno.test("a long file is read in parts, which together are the file", async () => {
  const { use, port } = table(makePort(), 300);
  const whole = "é".repeat(400);
  port.disk.set("long", bytes(whole));
  let read = "";
  let offset = 0;
  for (let parts = 0; parts < 10; parts++) {
    const part = await use("read", { path: "/files/long", offset });
    assert.ok(bytes(part).length <= 300, part);
    const [text, mark] = part.split("\n");
    read += text;
    if (mark === undefined) break;
    offset = Number(/^\[cut: read on with offset (\d+)\]$/.exec(mark)![1]);
  }
  assert.equal(read, whole);
});

Deno.test("a long file of events is cut between two of them, and goes on behind the last", async () => {
  const lines = Array.from({ length: 50 }, (_, i) => JSON.stringify({ seq: i + 1, type: "x" }));
  const events = file({
    kind: "stream",
    read: ({ after = 0 }: { after?: number }) => lines.slice(after).join("\n") + "\n",
  });
  const port = { ...makePort(), files: tree(dir({ events })) };
  const { use } = table(port, 300);
  const first = await use("read", { path: "/events" });
  const [, seq] = /\n\[cut: read on with after (\d+)\]$/.exec(first)!;
  assert.equal(first.split("\n").at(-2), lines[Number(seq) - 1]);
  const next = await use("read", { path: "/events", after: Number(seq) });
  assert.equal(next.split("\n")[0], lines[Number(seq)]);
});

Deno.test("what is no text is not shown", async () => {
  const { use, port } = table();
  port.disk.set("photo", Uint8Array.of(0xff, 0xd8, 0xff));
  assert.equal(await use("read", { path: "/files/photo" }), "Error: /files/photo is no text.");
  assert.equal(await use("read", { path: "/files/photo", offset: 3 }), "(empty)");
});

Deno.test("every refusal is told to the model", async () => {
  const { use } = table();
  assert.match(await use("read", { path: "/nowhere" }), /^Error: Cannot .*"\/nowhere": not_found/);
  assert.match(await use("read", { path: "../x" }), /^Error: .*invalid_path/);
  assert.match(await use("read", {}), /^Error: path: /);
  assert.match(await use("read", { path: "/files/a", colour: 1 }), /^Error: /);
  assert.match(await use("read", '{"path":'), /^Error: the arguments cannot be read as JSON: /);
  assert.match(
    await use("rm", { path: "/files/a" }),
    /^Error: there is no tool "rm"; there are list,/,
  );
  assert.match(await use("constructor", {}), /^Error: there is no tool/);
});

Deno.test("what a person has to allow is thrown to who can wait for it", async () => {
  const pay = file({
    call: () => {
      throw new FileError("approval_required", "call", "/pay", { extra: { approval_id: "a" } });
    },
  });
  const { use } = table({ ...makePort(), files: tree(dir({ pay })) });
  await assert.rejects(use("call", { path: "/pay", request: "" }), { code: "approval_required" });
});

Deno.test("the end of the tick is no result", async () => {
  const { use, port } = table();
  port.abort();
  await assert.rejects(use("read", { path: "/files/a" }));
});

Deno.test("a watch gives the next event, or ends when its time is over", async () => {
  const { use, port, clock } = table();
  const first = use("watch", { path: "/events" });
  await port.watched;
  port.emit({ type: "modified", n: 1 });
  assert.equal(await first, '{"type":"modified","n":1}');
  assert.equal(clock.waiting(), 0);

  const none = use("watch", { path: "/events", seconds: 2 });
  await clock.advance(1_999);
  assert.equal(clock.waiting(), 1);
  await clock.advance(1);
  assert.equal(await none, "(no event within 2 s)");

  const long = use("watch", { path: "/events", seconds: 1e9 });
  await clock.advance(30_000);
  assert.equal(await long, "(no event within 30 s)");
});
