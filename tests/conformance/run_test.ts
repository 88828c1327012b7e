import assert from "../assert.ts";
import { deno } from "../house/tree.ts";
import { serve, TOKEN } from "../http/served.ts";
import { runtimeApp } from "./http_subjects.ts";

function run(...words: string[]) {
  return deno(["run", "-A", "tests/conformance/run.ts", ...words]);
}

Deno.test("a table of one law and one of a list are printed, and it ends well when they are kept", async () => {
  const { code, stdout } = await run("S1", "M");
  assert.equal(code, 0, stdout);
  assert.match(stdout, /^S: storage\n\nlaw +memory +sqlite\nS1 +what_was_put_is_got +✓ +✓\n\n/);
  assert.match(stdout, /\nM: namespaces\n\nlaw +namespace\nM1 /);
  assert.doesNotMatch(stdout, /\nS2 |\nF1 /);
  assert.match(stdout, /\d+ kept, 0 broken\n$/);
});

Deno.test("a running server is tried by the laws of HTTP", async () => {
  const { app, close } = await runtimeApp();
  const server = serve(app);
  try {
    const { code, stdout } = await run("--url", server.url, "--token", TOKEN, "H1", "H2");
    assert.equal(code, 0, stdout);
    assert.match(stdout, /\nlaw +http server\nH1 .*✓\nH2 .*✓\n\n2 kept, 0 broken\n$/);
  } finally {
    await close();
    await server.close();
  }
});

Deno.test("a server that is not there breaks the laws, and the run fails", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const { code, stdout } = await run("--url", `http://127.0.0.1:${port}`, "H1");
  assert.equal(code, 1);
  assert.match(stdout, /✗ H1 .*\n0 kept, 1 broken\n$/);
});

Deno.test("words that make no sense are an error of use", async () => {
  for (const words of [["S1", "Z9"], ["--url", "here"], ["--what"]]) {
    const { code, stderr } = await run(...words);
    assert.equal(code, 2, words.join(" "));
    assert.match(stderr, /deno task conformance \[S F3 …\]/);
  }
});
