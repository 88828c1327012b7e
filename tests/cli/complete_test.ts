/** What a shell may offer, read off the verb table. */
import { deepEqual, equal, match, ok, rejects } from "../assert.ts";
import type { Call } from "../../src/cli/call.ts";
import {
  beginning,
  type Candidate,
  candidates,
  FILES,
  type Known,
} from "../../src/cli/complete.ts";
import { lineOf } from "../../src/cli/exit.ts";
import { VERBS } from "../../src/cli/mod.ts";

const known: Known = {
  agents: () => Promise.resolve(["ann", "bob"]),
  names: (path) => Promise.resolve(path === "bob/" ? ["files/", "status"] : [`in ${path}`]),
  builtins: ["counter", "echo"],
  secrets: () => Promise.resolve(["API_KEY", "OTHER"]),
  approvals: () => Promise.resolve([{ id: "apr_1", about: "ann: call /shop" }]),
};

/** The values for the last word, as far as they begin like it. */
async function offered(...words: string[]): Promise<string[]> {
  const found = await candidates(words, VERBS, known);
  return beginning(found, words.at(-1)!).map(({ value }) => value);
}

Deno.test("verbs, with what they are about", async () => {
  deepEqual(await offered("se"), ["serve", "send", "secret"]);
  ok((await offered("")).length > VERBS.length);
  deepEqual(await offered("help", "comp"), ["completions"]);
  deepEqual(await offered("--json", "li"), ["list"]);
  const found = await candidates(["send"], VERBS, known);
  const send: Candidate = { value: "send", about: "a message to an agent" };
  deepEqual(found.find(({ value }) => value === "send"), send);
});

Deno.test("agents, files of agents, words, files of this machine", async () => {
  deepEqual(await offered("send", "b"), ["bob"]);
  deepEqual(await offered("status", ""), ["ann", "bob"]);
  deepEqual(await offered("cat", "b"), ["bob/"]);
  deepEqual(await offered("cat", "bob/"), ["bob/files/", "bob/status"]);
  deepEqual(await offered("ls", "bob/s"), ["bob/status"]);
  deepEqual(await offered("write", "bob/files/x"), []);
  deepEqual(await offered("write", "bob/files/i"), ["bob/files/in bob/files/"]);
  deepEqual(await offered("goals", "bob", "pro"), ["progress"]);
  deepEqual(await offered("token", ""), ["create", "list", "revoke"]);
  deepEqual(await offered("run", "e"), ["echo", FILES.value]);
  deepEqual(await offered("create", ""), []);
  deepEqual(await offered("create", "x", "./bo"), [FILES.value]);
  deepEqual(await offered("deploy", "bob", ""), [FILES.value]);
  deepEqual(await offered("init", ""), [FILES.value]);
  deepEqual(await offered("completions", "f"), ["fish"]);
  deepEqual(await offered("hook", "add", "x", ""), ["ann", "bob"]);
  deepEqual(await offered("secret", "rm", "A"), ["API_KEY"]);
  deepEqual(await offered("secret", "set", "NEW", "--agent", "b"), ["bob"]);
  deepEqual(await offered("approve", "a"), ["apr_1"]);
  deepEqual(await offered("deny", "apr_1", "--agent", "b"), ["bob"]);
  deepEqual(await offered("budget", ""), ["ann", "bob"]);
  deepEqual(await offered("create", "x", "echo", "--autonomy", "s"), ["supervised", "semi"]);
});

Deno.test("what has been said is counted: options, their values, arguments", async () => {
  deepEqual(await offered("send", "--timeout", "5", "b"), ["bob"]);
  deepEqual(await offered("--home", "dir", "send", "--wait", "b"), ["bob"]);
  deepEqual(await offered("send", "--id", "b"), []);
  deepEqual(await offered("send", "bob", "b"), []);
  deepEqual(await offered("send", "bob", "hello", "b"), []);
  deepEqual(await offered("version", "b"), []);
  deepEqual(await offered("nothing", "b"), []);
  deepEqual(await offered("write", "-", "b"), []);
});

Deno.test("options, each once, and the values that they can have", async () => {
  deepEqual(await offered("send", "bob", "--w"), ["--wait"]);
  deepEqual(await offered("send", "--wait", "--w"), []);
  deepEqual(await offered("send", "-w", "--w"), []);
  deepEqual(await offered("create", "x", "echo", "--goal", "a", "--go"), ["--goal"]);
  deepEqual(await offered("--ho"), ["--home"]);
  deepEqual(await offered("list", "--state", "pa"), ["paused"]);
  deepEqual(await offered("token", "create", "--agent", "a"), ["ann"]);
  deepEqual(await offered("list", "--home", ""), [FILES.value]);
});

Deno.test("the words of a verb are those that it knows", async () => {
  for (const verb of VERBS.filter(({ args }) => args.includes("[word]"))) {
    const action = await verb.load();
    const call = {
      given: { args: { id: "bob", word: "no such word" }, options: {} },
      server: () => ({ files: () => ({}) }),
    } as unknown as Call;
    await rejects(async () => await action(call), (error: unknown) => {
      const [, words] = /It knows (.*)\.$/.exec(lineOf(error)) ?? [];
      deepEqual(words?.split(", ").sort(), verb.words?.toSorted(), verb.name);
      return true;
    });
    for (const word of verb.words!) match(verb.about, new RegExp(`\\b${word}\\b`));
  }
  equal(VERBS.filter(({ args }) => args.includes("[word]")).length, 7);
});
