import { deepEqual, equal, match, ok, throws } from "../assert.ts";
import { parseArgs } from "../../src/cli/args.ts";
import { exitOf, lineOf } from "../../src/cli/exit.ts";
import { VERBS } from "../../src/cli/mod.ts";

function parse(...argv: string[]) {
  return parseArgs(
    { program: "agentd", about: "About.", version: "1.2.3", verbs: VERBS, columns: 100 },
    argv,
  );
}

function refusal(...argv: string[]): string {
  let line = "";
  throws(() => parse(...argv), (error: unknown) => {
    line = lineOf(error);
    return exitOf(error) === 2;
  });
  return line;
}

Deno.test("words become a verb, its arguments and its options, wherever the options stand", () => {
  for (
    const argv of [
      ["send", "bob", "remember", "milk", "--wait", "--json"],
      ["--json", "send", "--wait", "bob", "remember", "milk"],
      ["send", "-w", "bob", "remember", "--json", "milk"],
    ]
  ) {
    const parsed = parse(...argv);
    equal(parsed.kind, "run");
    if (parsed.kind !== "run") return;
    equal(parsed.verb.name, "send");
    deepEqual(parsed.given.args, { id: "bob", message: ["remember", "milk"] });
    deepEqual(parsed.given.options, { wait: true, json: true });
  }
});

Deno.test("options that repeat are lists, typed ones have their type", () => {
  const parsed = parse(
    "create",
    "bob",
    "echo",
    "--goal",
    "a",
    "--goal",
    "b",
    "--config",
    '{"x":1}',
  );
  ok(parsed.kind === "run");
  deepEqual(parsed.given.options, { goal: ["a", "b"], config: { x: 1 } });
  match(refusal("create", "bob", "echo", "--config", "{x}"), /^Not JSON: \{x\}/);
  match(refusal("logs", "bob", "--tail", "-1"), /not a whole number/);
});

Deno.test("a mistake is one line that says what to try", () => {
  equal(refusal("sned", "bob"), "Unknown command sned. Did you mean send?");
  equal(refusal("list", "--jsn"), "Unknown option --jsn. Did you mean --json?");
  equal(refusal("send"), "Missing required argument id. See agentd send --help.");
  equal(refusal("help", "sedn"), "Unknown command sedn. Did you mean send?");
  match(refusal("list", "--state", "asleep"), /Allowed choices are creating, active/);
  match(refusal("dev", "extra"), /^Too many arguments for dev/);
});

Deno.test("every command has a help with examples that its own grammar takes", () => {
  for (const verb of VERBS) {
    const help = parse(verb.name, "--help");
    ok(help.kind === "say" && help.exit === 0);
    match(help.text, /\nExamples:\n {2}agentd /, verb.name);
    for (const [line] of verb.examples) {
      const words = shellWords(line);
      const parsed = parse(...words);
      ok(parsed.kind === "run" && parsed.verb.name === verb.name, line);
    }
  }
});

Deno.test("without a command the help is told, and it is a mistake", () => {
  const said = parse();
  ok(said.kind === "say" && said.exit === 2);
  for (const verb of VERBS) match(said.text, new RegExp(`\n  ${verb.name} `));
  const version = parse("--version");
  ok(version.kind === "say" && version.exit === 0 && version.text === "agentd 1.2.3");
});

/** Words as a shell would split the examples: quotes, and neither redirections nor pipes. */
function shellWords(line: string): string[] {
  return [...line.replace(/ [|<>] .*$/, "").matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)]
    .map(([, single, double, bare]) => single ?? double ?? bare!);
}
