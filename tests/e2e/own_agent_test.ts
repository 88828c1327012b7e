/** An agent of a user's own: made of several files and a package, changed while it runs, wrong in many ways, and never without its state. */
import { deepEqual, equal, match } from "../assert.ts";
import { needs } from "../needs.ts";
import { CACHE, programWords } from "./program.ts";
import { inPlace, type Place } from "./server.ts";

const test = needs(
  Deno.build.os === "linux" ? undefined : "agents of one's own run on Linux alone",
);

/** Runs a verb that must be done; gives its standard output. */
function doing(place: Place) {
  return async (...args: string[]): Promise<string> => {
    const { code, out, err } = await place.run(args);
    equal(code, 0, `${args.join(" ")}: ${err}`);
    return out;
  };
}

const PACKAGE: Readonly<Record<string, string>> = {
  "node_modules/plural-words/package.json":
    `{"name":"plural-words","version":"1.0.0","exports":{".":{"types":"./index.d.ts","default":"./index.js"}},"type":"module"}`,
  "node_modules/plural-words/index.d.ts":
    `export declare function plural(n: number, word: string): string;`,
  "node_modules/plural-words/index.js":
    "export function plural(n, word) { return `${n} ${word}${n === 1 ? '' : 's'}`; }",
};

const WORDS = `import { plural } from "plural-words";

export const told = (items: readonly string[]): string => \`\${plural(items.length, "thing")}!\`;
`;

/** The template's agent, telling its list in the words of another file and a package. */
function withWords(template: string): string {
  return template
    .replace(
      "import type { Agent }",
      'import { told } from "./lib/words.ts";\nimport type { Agent }',
    )
    .replace(/await ctx\.reply\(.*\);/, "await ctx.reply(told(items));");
}

function write(place: Place, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    const path = `${place.dir}/bot/${name}`;
    Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    // As an editor does: beside it, then in its place.
    Deno.writeTextFileSync(`${path}~`, text);
    Deno.renameSync(`${path}~`, path);
  }
}

test("dev deploys what is saved: state is kept, what is wrong changes nothing", async () => {
  await inPlace(async (place) => {
    const agentd = doing(place);
    const server = await place.serve();
    const told = { redeployed: 0, error: 0 };
    const next = async (what: keyof typeof told) =>
      JSON.parse(await server.running.line(new RegExp(`"${what}"`), told[what]++));
    equal(
      await agentd("init", "bot"),
      "wrote bot/agent.ts bot/agentd.d.ts bot/agent_test.ts\n",
    );
    equal(
      await agentd("create", "bot", "./bot/agent.ts"),
      "bot created   own process · no network · may spend $0\n",
    );
    equal(await agentd("send", "bot", "remember milk", "--wait"), "1 item: milk\n");

    const template = Deno.readTextFileSync(`${place.dir}/bot/agent.ts`);
    write(place, { ...PACKAGE, "lib/words.ts": WORDS, "agent.ts": withWords(template) });
    const first = await next("redeployed");
    deepEqual([first.id, first.redeployed.version, first.redeployed.before.version], ["bot", 1, 1]);
    equal(await agentd("send", "bot", "remember eggs", "--wait"), "2 things!\n");

    // A file that is imported, saved twice at once.
    write(place, { "lib/words.ts": WORDS.replace("!", "?") });
    equal((await next("redeployed")).files, 1);
    equal(await agentd("send", "bot", "list", "--wait"), "2 things?\n");

    write(place, { "lib/words.ts": "export const told = (items => {};\n" });
    match(
      (await next("error")).error.message,
      /^Cannot bundle bot\/agent\.ts: bot\/lib\/words\.ts:1:33: Expected/,
    );
    write(place, { "lib/words.ts": "export const told = null!;\nnull!.x;\n" });
    match(
      (await next("error")).error.message,
      /does not load: TypeError: .* \(lib\/words\.ts:2:\d+\)/,
    );
    equal(await agentd("send", "bot", "list", "--wait"), "2 things?\n");

    // Others' code is not replaced.
    Deno.writeTextFileSync(
      `${place.dir}/other.ts`,
      "export default { name: 'o', onTrigger() {} };",
    );
    match(
      await agentd("deploy", "bot", "other.ts"),
      /^bot deployed {3}[0-9a-f]{8} → [0-9a-f]{8} · 1 KB in \d+\.\d s · state kept \(v1\)\n$/,
    );
    write(place, { "lib/words.ts": WORDS });
    match(await agentd("deploy", "bot", "bot/agent.ts"), /^bot deployed/);
    match(await agentd("deploy", "bot", "bot/agent.ts"), /^bot has this code already/);

    // Changed while nobody looked, after a power cut.
    await server.kill();
    write(place, { "lib/words.ts": WORDS.replace("thing", "entry") });
    const second = await place.serve();
    const changed = JSON.parse(await second.running.line(/"redeployed"/));
    equal(changed.files, undefined);
    equal(await agentd("send", "bot", "list", "--wait"), "2 entrys!\n");
    await agentd("delete", "bot");
    deepEqual([...Deno.readDirSync(`${place.dir}/.agentd/sources`)], []);
    // Nobody holds the streams of a server that has stopped: what watched is gone too.
    equal((await second.stop()).code, 0);
  });
});

test("a state of an older version is migrated, or the old code stays", async () => {
  await inPlace(async (place) => {
    await place.serve(["serve", "--home", ".agentd", "--listen", "127.0.0.1:0"]);
    const agentd = doing(place);
    const code = (version: number, more: string) =>
      `export default { name: "c", version: ${version}, ${more}
        async onTrigger(ctx, t) { ctx.state.n = (ctx.state.n ?? 0) + 1; await ctx.reply(JSON.stringify(ctx.state)); } };`;
    const file = `${place.dir}/c.ts`;
    Deno.writeTextFileSync(file, code(1, ""));
    await agentd("create", "c", "./c.ts");
    equal(await agentd("send", "c", "x", "--wait"), '{"n":1}\n');
    Deno.writeTextFileSync(
      file,
      code(3, "migrate(from, old) { throw new RangeError(`not from \${from}`); },"),
    );
    const refused = await place.run(["deploy", "c", "c.ts"]);
    equal(refused.code, 1);
    match(
      refused.err,
      /^error: Cannot deploy to c: RangeError: not from 1 \(c\.ts:1:\d+\) \(agent_error\)\n$/,
    );
    Deno.writeTextFileSync(file, code(3, "migrate: (from, old) => ({ ...old, from }),"));
    match(await agentd("deploy", "c", "c.ts"), / · state migrated \(v1 → v3\)\n$/);
    equal(await agentd("send", "c", "x", "--wait"), '{"n":2,"from":1}\n');
    Deno.writeTextFileSync(file, code(2, ""));
    match(
      (await place.run(["deploy", "c", "c.ts"])).err,
      /its version is 2 and the state is of version 3/,
    );
    equal((await place.run(["deploy", "nobody", "c.ts"])).code, 3);
    equal((await place.run(["deploy", "c", "none.ts"])).code, 3);
  });
});

test("errors of an agent point at its own lines, wherever they are told", async () => {
  await inPlace(async (place) => {
    await place.serve();
    const agentd = doing(place);
    Deno.mkdirSync(`${place.dir}/lib`);
    Deno.writeTextFileSync(
      `${place.dir}/lib/deep.ts`,
      "interface Nothing {}\n\nexport function deep(_: Nothing): never {\n  throw new Error('boom');\n}\n",
    );
    Deno.writeTextFileSync(
      `${place.dir}/bad.ts`,
      `import { deep } from "./lib/deep.ts";
type Any = any;

export default {
  name: "bad",
  async onTrigger(ctx: Any, trigger: Any): Promise<void> {
    if (trigger.text === "file") await ctx.env.read("/files/none");
    deep({});
  },
};
`,
    );
    const limits = JSON.stringify({ retry_ms: [] });
    match(await agentd("create", "bad", "./bad.ts", "--limits", limits), /^bad created/);
    const stack = ["deep (lib/deep.ts:4:9)", "onTrigger (bad.ts:8:5)"];
    const lines = stack.map((frame) => `    at ${frame}\n`).join("");

    const sent = await place.run(["send", "bad", "x", "--wait"]);
    equal(sent.code, 1);
    match(
      sent.err,
      /^error: bad failed: Error: boom \(lib\/deep\.ts:4:9\) \(agent_error\)\. See: /,
    );
    equal(sent.err.slice(sent.err.indexOf("\n") + 1), lines);
    const ticked = await place.run(["tick", "bad"]);
    match(ticked.err, /^error: bad failed: Error: boom \(lib\/deep\.ts:4:9\)/);
    const run = await place.run(["run", "bad.ts", "x"]);
    equal(run.code, 1);
    match(run.err, /^error: bad\.ts failed: Error: boom \(lib\/deep\.ts:4:9\)/);
    // Refused by the runtime, and waited for by the agent.
    const file = await place.run(["send", "bad", "file", "--wait", "--json"]);
    match(JSON.parse(file.out).error.message, /not_found.* \(bad\.ts:7:\d+\)$/);

    match(
      await agentd("logs", "bad"),
      /error +agent_error Error: boom \(lib\/deep\.ts:4:9\) {2}by onTrigger \(bad\.ts:8:5\)/,
    );
    const letters = JSON.parse(await agentd("deadletter", "bad", "--json"));
    const letter = letters.find((one: { last_error: { message: string } }) =>
      one.last_error.message.includes("boom")
    );
    const shown = JSON.parse(await agentd("deadletter", "bad", "show", letter.id));
    deepEqual(shown.errors[0].stack, stack);
    const trajectory = (await agentd("cat", "bad/logs/trajectory")).trim().split("\n");
    deepEqual(JSON.parse(trajectory.find((line) => line.includes("boom"))!).error.stack, stack);
    deepEqual(JSON.parse(await agentd("status", "bad", "--json")).last_error.code, "agent_error");
  });
});

test("the test that init writes runs, as it says", async () => {
  await inPlace(async (place) => {
    await doing(place)("init", "my bot");
    // AGENTD says which program; from source, that is several words.
    const program = programWords().join(" ");
    const child = await new Deno.Command(Deno.execPath(), {
      args: ["test", "-A", "--no-check", "my bot/agent_test.ts"],
      cwd: place.dir,
      env: { ...CACHE, HOME: place.dir, PATH: "/usr/bin:/bin", AGENTD: program, NO_COLOR: "1" },
      clearEnv: true,
    }).output();
    const said = new TextDecoder().decode(child.stdout) + new TextDecoder().decode(child.stderr);
    match(said, /ok \| 2 passed/);
    const again = await place.run(["init", "my bot"]);
    equal(again.code, 1);
    match(again.err, /^error: my bot\/agent\.ts is there already\. Choose another directory\.\n$/);
  });
});

test("a plain start says what it says, and nothing else", async () => {
  await inPlace(async (place) => {
    const dev = place.start(["dev", "--listen", "127.0.0.1:0"]);
    await dev.line(/^abc \(echo\) ready/);
    dev.kill("SIGTERM");
    const { out, err } = await dev.ended;
    equal(out.trimEnd().split("\n").length, 2);
    equal(err, "stopping; running ticks have up to 10 s, Ctrl-C stops at once\n");
  });
});

test("a client waits for a server that is just coming back, and not for one that is not", async () => {
  await inPlace(async (place) => {
    const first = await place.serve();
    await first.kill();
    const asking = place.run(["list", "--json"]);
    const second = await place.serve();
    const { code, out, err } = await asking;
    equal(code, 0, err);
    equal(JSON.parse(out)[0].id, "abc");
    await second.stop();
    const none = await place.run(["list"]);
    equal(none.code, 5);
    match(none.err, /^error: No server is running in \.\/\.agentd\./);
  });
});

test("mounts are looked at and changed", async () => {
  await inPlace(async (place) => {
    await place.serve();
    const agentd = doing(place);
    match(await agentd("mounts", "abc"), /^MOUNT +ACCESS\n\/approvals +read_only\n/);
    equal(await agentd("mounts", "abc", "set", "files", "read_only"), "abc /files read_only\n");
    equal(await agentd("mounts", "abc", "remove", "/kv"), "abc has no /kv any more\n");
    const rows = JSON.parse(await agentd("mounts", "abc", "--json"));
    equal(rows.find((row: { path: string }) => row.path === "/files").access, "read_only");
    equal(rows.some((row: { path: string }) => row.path === "/kv"), false);
    equal(await agentd("mounts", "abc", "set", "/kv", "read_write"), "abc /kv read_write\n");
    Deno.mkdirSync(`${place.dir}/repo`);
    Deno.writeTextFileSync(`${place.dir}/repo/a.txt`, "from the host");
    match(
      await agentd("mounts", "abc", "set", "/repo", "read_only", "--dir", "repo"),
      /^abc \/repo read_only {3}\S+\/repo\n$/,
    );
    equal(await agentd("cat", "abc/repo/a.txt"), "from the host");
    match(await agentd("mounts", "abc"), /\n\/repo +read_only +\S+\/repo\n$/);
    for (
      const [words, code, line] of [
        [["sett", "/kv"], 2, /Did you mean set\?$/m],
        [["set"], 2, /Which mount\?/],
        [["set", "/kv"], 2, /Which access\?/],
        [["set", "/kv", "readonly"], 2, /Did you mean read_only\?$/m],
        [["set", "/nope", "read_only"], 1, /there is no such service/],
        [["set", "/kv", "read_only", "--hide", "x"], 2, /--hide is for a directory/],
      ] as const
    ) {
      const { code: came, err } = await place.run(["mounts", "abc", ...words]);
      equal(came, code, err);
      match(err, line);
    }
  });
});
