/** Where the runtime may not look into /proc, the limits that a process has set for itself hold alone. */
import assert from "../assert.ts";

Deno.test("a runtime with a narrow permission to run has the same walls and limits", async () => {
  const handlers = {
    "ctx.state.n = 1": '{"n":1}',
    "const a = []; for (;;) a.push(new Array(1000).fill(Math.random()))": "out_of_memory",
    "const a = []; for (;;) a.push(new Uint8Array(1e7).fill(1))": "out_of_memory",
    "await import('file:///etc/hostname')": "agent_error",
  };
  const main = new URL("./narrow_runtime.ts", import.meta.url).href;
  const flags = ["--no-prompt", "--no-check", "--allow-read", "--allow-run=/proc/self/exe"];
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", ...flags, main, ...Object.keys(handlers)],
  }).output();
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  assert.deepEqual(JSON.parse(out || "null"), handlers, err);
});
