/** The tasks of deno.json are those that documents name, and run the program in one scope. */
import { compileArgs } from "../../.ci/flags.ts";
import config from "../../deno.json" with { type: "json" };
import assert from "../assert.ts";
import { otherScopes, scopeOf, unnamed } from "./tasks.ts";
import { files, text } from "./tree.ts";

Deno.test("house: the rule of named tasks bites", () => {
  const tasks = { test: { command: "deno test" } };
  assert.deepEqual(unnamed("a.md", "deno task test, npx -y deno@2.9.6 task test", tasks), []);
  assert.equal(unnamed("a.md", "run deno task tset", tasks).length, 1);
});

Deno.test("house: every task that a document or CI names is there", async () => {
  const faults: string[] = [];
  for (const file of (await files()).filter((f) => /\.md$|\.yml$|^\.ci\//.test(f))) {
    faults.push(...unnamed(file, await text(file), config.tasks));
  }
  assert.deepEqual(faults, []);
});

Deno.test("house: the rule of one scope bites", () => {
  const command = "deno run --allow-net --allow-read main.ts";
  const broken = otherScopes({
    serve: { command: `${command} serve` },
    dev: { command: "deno run --allow-net main.ts dev" },
    compile: { command: "deno compile --allow-net --allow-read -o x main.ts" },
    test: { command: "deno test -A" },
  });
  assert.deepEqual(broken.map((fault) => fault.split(" ")[2]), ['"dev"']);
  assert.equal(otherScopes({ dev: { command: "deno run -A main.ts" } }).length, 1);
});

Deno.test("house: the program is run in one scope, however it is started", () => {
  assert.deepEqual(otherScopes(config.tasks), []);
});

Deno.test("house: the binary may do what the source may; what differs is named", () => {
  const { tasks } = config;
  const scope = (target?: string) => {
    const args = compileArgs({ tasks, stage: "s/", workers: ["s/w.js"], output: "x", target });
    assert.ok(args.includes("--no-code-cache"));
    return args.filter((arg) => /^(-A|--allow-|--deny-|--no-prompt)/.test(arg)).join(" ");
  };
  const source = scopeOf(tasks.serve)!.replaceAll('"', "");
  assert.equal(scope("x86_64-unknown-linux-gnu"), `${source} --allow-ffi`);
  assert.equal(scope("aarch64-apple-darwin"), source.replace("/proc/self/exe", "agentd"));
});
