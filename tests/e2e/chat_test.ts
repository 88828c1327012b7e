/** A conversation by the real program: with the echo, and with a real llama.cpp that calls tools. */
import { deepEqual, equal, match, ok } from "../assert.ts";
import { MISSING_LLAMA, startLlama } from "../llama/server.ts";
import { needs } from "../needs.ts";
import { inPlace, type Place, type Served } from "./server.ts";
import { onTerminal, testOnTerminal } from "./terminal.ts";

const testWithModel = needs(MISSING_LLAMA);
const onTerminalWithModel = needs(MISSING_LLAMA, undefined, ({ name, fn }) => {
  testOnTerminal(name, fn);
});

/** Runs a verb that must be done; gives its standard output. */
function doing(place: Place) {
  return async (...args: string[]): Promise<string> => {
    const { code, out, err } = await place.run(args);
    equal(code, 0, `${args.join(" ")}: ${err}`);
    return out;
  };
}

/** A server that knows this model server and looks for no other. */
async function serveWith(place: Place, url: string): Promise<Served> {
  Deno.mkdirSync(`${place.dir}/.agentd`, { recursive: true });
  const settings = { compute: { discover: false, servers: [{ id: "here", url }] } };
  Deno.writeTextFileSync(`${place.dir}/.agentd/agentd.json`, JSON.stringify(settings));
  return await place.serve();
}

Deno.test("chat: one message, or a line each, and nothing but the replies in a pipe", async () => {
  await inPlace(async (place) => {
    const done = doing(place);
    await place.serve();
    await done("create", "helper", "assistant", "--prompt", "Be kind.", "--model", "echo");
    const note = "(The model echo has no tool calls, so I cannot use my files: I can only talk.)";
    equal(await done("chat", "helper", "hello", "you"), `hello you\n\n${note}\n`);
    const lines = await place.run(["chat", "helper"], { input: "one\n\ntwo" });
    deepEqual([lines.code, lines.out, lines.err], [0, "one\ntwo\n", ""]);
    const told = JSON.parse(await done("chat", "helper", "three", "--json"));
    deepEqual(told.replies, [{ kind: "text", text: "three" }]);
    deepEqual([told.model_calls, told.cost_micro_usd], [1, 0]);

    await done("create", "bob", "counter");
    equal(await done("chat", "bob", "x"), "1\n");
    await done("pause", "bob");
    const paused = place.start(["chat", "bob", "x"]);
    match(await paused.line(/paused/), /^bob is paused and answers when it is resumed: /);
    await done("resume", "bob");
    deepEqual((await paused.ended).out, "2\n");
    const lost = await place.run(["chat", "nobody"], { input: "x" });
    deepEqual([lost.code, lost.out], [3, ""]);
    match(lost.err, /^error: Cannot look at nobody: no such agent/);
  });
});

Deno.test("create: what an assistant is there for is a field of its config", async () => {
  await inPlace(async (place) => {
    await place.serve();
    const words = ["--prompt", "P", "--model", "echo", "--max-steps", "3"];
    const made = await place.run([
      "create",
      "a",
      "assistant",
      ...words,
      "--config",
      '{"max_tokens":9,"model":"other"}',
    ]);
    equal(made.code, 0, made.err);
    const { out } = await place.run(["status", "a", "--json"]);
    deepEqual(JSON.parse(out).config, { prompt: "P", model: "echo", max_steps: 3, max_tokens: 9 });
    const list = await place.run(["create", "b", "assistant", "--prompt", "P", "--config", "[]"]);
    equal(list.code, 2);
    const wrong = await place.run(["create", "b", "assistant", "--config", '{"modle":"m"}']);
    equal(wrong.code, 1);
    match(wrong.err, /modle.*max_steps/);
  });
});

onTerminalWithModel(
  "chat: a terminal shows words, files and cost, and Ctrl-D ends it",
  async () => {
    const replies = [
      { name: "write", arguments: { path: "/files/list.txt", content: "milk" } },
      "I have noted milk.",
    ];
    await using llama = await startLlama({ replies });
    await inPlace(async (place) => {
      const done = doing(place);
      await serveWith(place, llama.url);
      await done("create", "helper", "assistant", "--prompt", "Notes.", "--model", llama.model);
      const { code, shown } = await onTerminal(
        place,
        ["chat", "helper"],
        [
          ["> ", "note milk\n"],
          ["1 model call", ""],
          ["left today", ""],
          ["free", "\x04"],
        ].slice(0, 1).concat([["free", "\x04"]]) as [string, string][],
      );
      equal(code, 0, shown);
      // deno-lint-ignore no-control-regex -- colours are taken off to read the words
      const plain = shown.replaceAll(/\x1b\[[0-9;]*m|\r/g, "");
      match(
        plain,
        /\n {2}write \/files\/list\.txt\nI have noted milk\.\nfree · 2 model calls\n> \n/,
      );
      equal(await done("cat", "helper/files/list.txt"), "milk");
      const trajectory = await done("cat", "helper/logs/trajectory");
      ok(trajectory.includes('"op":"write","path":"/files/list.txt"'), trajectory);
    });
  },
);

onTerminalWithModel(
  "chat: Ctrl-C ends the model call and not the talk; at the prompt, the talk",
  async () => {
    await using llama = await startLlama();
    await inPlace(async (place) => {
      const done = doing(place);
      await serveWith(place, llama.url);
      await done("create", "helper", "assistant", "--model", llama.endless);
      const gone = llama.cancelled();
      const { code, shown } = await onTerminal(place, ["chat", "helper"], [
        ["> ", "go on\n"],
        ["and on", "\x03"],
        ["> ", "\x03"],
      ]);
      match(shown, /Stopped: the model call was cancelled\./);
      equal(code, 0, shown);
      await gone;
      const names = (await done("ls", "helper/compute/jobs")).trim().split("\n");
      equal(names.length, 1);
      const status = JSON.parse(await done("cat", `helper/compute/jobs/${names[0]}status`));
      equal(status.status, "cancelled");
    });
  },
);

testWithModel(
  "chat: an interrupt of one message ends its model call and says so in the exit code",
  async () => {
    await using llama = await startLlama();
    await inPlace(async (place) => {
      const done = doing(place);
      await serveWith(place, llama.url);
      await done("create", "helper", "assistant", "--model", llama.endless);
      for (const more of [[], ["--json"]]) {
        const generating = llama.generating();
        const gone = llama.cancelled();
        const talk = place.start(["chat", "helper", "go on", ...more]);
        await generating;
        // As it comes from a terminal to what deno task has started.
        for (let n = 0; n < 3; n++) talk.kill("SIGINT");
        const { code, out } = await talk.ended;
        equal(code, 130);
        match(out, /Stopped: the model call was cancelled\./);
        await gone;
      }
    });
  },
);

testWithModel(
  "chat: kill -9 in the middle of a step, and the answer comes all the same",
  async () => {
    const replies = [
      { name: "write", arguments: { path: "/files/list.txt", content: "milk" } },
      "I have noted milk.",
    ];
    await using llama = await startLlama({ replies });
    await inPlace(async (place) => {
      const done = doing(place);
      const server = await serveWith(place, llama.url);
      await done("create", "helper", "assistant", "--model", llama.model);
      const generating = llama.generating();
      await done("send", "helper", "note milk", "--id", "one");
      await generating;
      await server.kill();
      await place.serve();
      equal(
        await done("send", "helper", "note milk", "--id", "one", "--wait", "--quiet"),
        "I have noted milk.\n",
      );
      equal(await done("cat", "helper/files/list.txt"), "milk");
    });
  },
);
