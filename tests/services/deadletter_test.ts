/** `/deadletter`: what was given up is kept with its errors, put back, or thrown away. */
import { callJson, callText, readJson, readText, watch, writeText } from "../../src/fs/use.ts";
import type { Trigger } from "../../src/core/trigger.ts";
import type { AgentContext } from "../../src/core/agent.ts";
import { deepEqual, equal, match, rejects } from "../assert.ts";
import { inWorld, type World } from "./world.ts";

let failing = true;

async function agent(ctx: AgentContext, trigger: Trigger): Promise<void> {
  if (trigger.type !== "message") return;
  if (failing) throw new Error(`cannot do ${trigger.text}`);
  await ctx.reply("done");
}

const limits = { limits: { retry_ms: [] } };

async function fail({ files, waited }: World, ...ids: string[]): Promise<void> {
  failing = true;
  for (const id of ids) {
    await callJson(files, "/inbox", { payload: id, id });
    await waited(id as never);
  }
}

interface Summary {
  readonly id: string;
  readonly sender: string;
  readonly reason: string;
  readonly tries: number;
  readonly last_error: { readonly code: string; readonly message: string };
}

inWorld(
  "a letter tells its envelope, tries and errors; list the newest first; count how many",
  async (made) => {
    const { files, backend } = made;
    equal(await readText(files, "/deadletter/count"), "0\n");
    await fail(made, "x");
    await backend.clock.advance(5);
    await fail(made, "a");
    equal(await readText(files, "/deadletter/count"), "2\n");
    const list = await readJson<Summary[]>(files, "/deadletter/list");
    deepEqual(list.map(({ id }) => id), ["a", "x"]);
    const { sender, reason, tries, last_error } = list[1]!;
    deepEqual([sender, reason, tries, last_error.code], [
      "http:operator",
      "failed",
      1,
      "agent_error",
    ]);
    match(last_error.message, /cannot do x/);
    const letter = await readJson<Record<string, unknown>>(files, "/deadletter/x");
    deepEqual(Object.keys(letter).sort(), ["at", "envelope", "errors", "reason", "tries"]);
    deepEqual((letter["envelope"] as Record<string, unknown>)["payload"], {
      kind: "text",
      text: "x",
    });
    deepEqual(
      (await files.list("/deadletter")).map((entry) => entry.name),
      ["a", "count", "ctl", "list", "x"],
    );
    deepEqual(
      (await files.list("/deadletter", { after: "a", limit: 2 })).map((entry) => entry.name),
      ["count", "ctl"],
    );
  },
  agent,
  limits,
);

inWorld(
  "a replayed letter is ticked again, and is no letter any more",
  async (made) => {
    const { files } = made;
    await fail(made, "x", "y");
    failing = false;
    await writeText(files, "/deadletter/ctl", "replay x");
    equal((await made.waited("x" as never)).tick.success, true);
    await rejects(files.stat("/deadletter/x"), { code: "not_found" });
    deepEqual(
      await callJson(files, "/deadletter/ctl", null).catch((e) => e.code),
      "invalid_request",
    );
    deepEqual(JSON.parse(await callText(files, "/deadletter/ctl", "replay y fresh\n")), {
      replayed: 1,
    });
    equal((await made.waited("y" as never)).tick.success, true);
    equal(await readText(files, "/deadletter/count"), "0\n");
  },
  agent,
  limits,
);

inWorld(
  "all letters can be replayed at once, and one thrown away",
  async (made) => {
    const { files } = made;
    await fail(made, "x", "y", "z");
    deepEqual(JSON.parse(await callText(files, "/deadletter/ctl", "discard y")), { discarded: 1 });
    failing = false;
    deepEqual(JSON.parse(await callText(files, "/deadletter/ctl", "replay all")), { replayed: 2 });
    for (const id of ["x", "z"]) equal((await made.waited(id as never)).tick.success, true);
    deepEqual(
      (await files.list("/deadletter")).map((entry) => entry.name),
      ["count", "ctl", "list"],
    );
  },
  agent,
  limits,
);

inWorld(
  "words that are none are refused, with those that are",
  async (made) => {
    const { files } = made;
    await fail(made, "x");
    match(await readText(files, "/deadletter/ctl"), /^replay <id>\n/);
    const refused = [
      "",
      "replay",
      "x",
      "replay x now",
      "replay all fresh",
      "discard x fresh",
      "replay a/b",
    ];
    for (const words of refused) {
      await rejects(callText(files, "/deadletter/ctl", words), { code: "invalid_request" }, words);
    }
    for (const words of ["replay none", "discard none"]) {
      await rejects(writeText(files, "/deadletter/ctl", words), { code: "not_found" }, words);
    }
    equal(await readText(files, "/deadletter/count"), "1\n");
  },
  agent,
  limits,
);

inWorld(
  "who watches is told of each new letter",
  async (made) => {
    const abort = new AbortController();
    const events = await watch(made.files, "/deadletter", { signal: abort.signal });
    await fail(made, "x");
    failing = false;
    await writeText(made.files, "/deadletter/ctl", "discard x");
    await fail(made, "y");
    deepEqual((await events.next()).value, { type: "created", name: "x" });
    deepEqual((await events.next()).value, { type: "created", name: "y" });
    abort.abort();
  },
  agent,
  limits,
);
