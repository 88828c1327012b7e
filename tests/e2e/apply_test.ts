/** A fleet out of a file, by the real program: what differs is shown, asked, made so, and then nothing differs. */
import { deepEqual, equal, match, ok } from "../assert.ts";
import { inPlace, type Place } from "./server.ts";
import { onTerminal, testOnTerminal } from "./terminal.ts";

const FILE = "agents.yaml";

const FLEET = `
version: 1
agents:
  bob:
    agent: counter
    name: Bob
    config: { lang: en, deep: [1, 2] }
    goals: [learn, teach]
    limits:
      max_tick_ms: 5000
      retention: { trace: 100 }
    mounts: { /kv: read_only, /logs: null }
  ann: { agent: echo, paused: true }
`;

function write({ dir }: Place, text: string): void {
  Deno.writeTextFileSync(`${dir}/${FILE}`, text);
}

/** Applies without being asked; gives what was printed. */
async function applied(place: Place, ...more: string[]): Promise<string> {
  const { code, out, err } = await place.run(["apply", "-f", FILE, "--yes", ...more]);
  equal(code, 0, err);
  return out;
}

async function status(place: Place, id: string): Promise<Record<string, unknown>> {
  const { code, out, err } = await place.run(["status", id, "--json"]);
  equal(code, 0, err);
  return JSON.parse(out);
}

async function ids(place: Place): Promise<string[]> {
  const { out } = await place.run(["list", "--json"]);
  return (JSON.parse(out) as { id: string }[]).map(({ id }) => id);
}

Deno.test("the agents become what the file says, and a second time nothing differs", async () => {
  await inPlace(async (place) => {
    await place.serve();
    write(place, FLEET);
    const asked = await place.run(["apply", "-f", FILE]);
    equal(asked.code, 2);
    match(asked.err, /^error: 2 agents would change\. Say --yes to go on without being asked/);
    const dry = await place.run(["apply", "-f", FILE, "--dry-run"]);
    deepEqual([dry.code, dry.err], [0, ""]);
    match(dry.out, /^\+ bob {3}counter · 2 goals · 2 mounts · limits\n\+ ann {3}echo · paused\n$/);
    deepEqual(await ids(place), ["abc"], "nobody was asked, so nothing was done");

    match(await applied(place), /bob created\nann created\n$/);
    deepEqual(await ids(place), ["abc", "ann", "bob"], "who is not in the file is left alone");
    const bob = await status(place, "bob");
    deepEqual([bob.name, bob.config], ["Bob", { lang: "en", deep: [1, 2] }]);
    const limits = bob.limits as { max_tick_ms: number; retention: Record<string, number> };
    deepEqual([limits.max_tick_ms, limits.retention.trace], [5_000, 100]);
    const mounts = new Map(
      (bob.mounts as { path: string; access: string }[]).map(({ path, access }) => [path, access]),
    );
    deepEqual([mounts.get("/kv"), mounts.has("/logs")], ["read_only", false]);
    equal((await status(place, "ann")).state, "paused");
    equal(await applied(place), "Nothing differs.\n");
    const again = await place.run(["apply", "-f", FILE, "--json"]);
    deepEqual(JSON.parse(again.out), {
      plan: { steps: [], unchanged: ["bob", "ann"] },
      applied: false,
    });
  });
});

Deno.test("each difference is shown as it is and as it is to be, and nothing else is touched", async () => {
  await inPlace(async (place) => {
    await place.serve();
    write(place, FLEET);
    await applied(place);
    equal((await place.run(["goals", "bob", "done", "goal-1"])).code, 0);
    equal((await place.run(["send", "bob", "hi", "--wait"])).out, "1\n");
    const before = await status(place, "bob");
    write(
      place,
      FLEET.replace("name: Bob", "name: Bobby").replace("lang: en", "lang: de")
        .replace("5000", "7000").replace("[learn, teach]", "[learn, rest]")
        .replace("/logs: null", "/logs: read_only").replace("paused: true", "paused: false"),
    );
    equal(
      await applied(place),
      [
        "~ bob",
        "    name: Bob → Bobby",
        '    config: {"lang":"en","deep":[1,2]} → {"lang":"de","deep":[1,2]}',
        "    limits.max_tick_ms: 5000 → 7000",
        "    mounts./logs: none → read_only",
        "    goals: rest",
        "~ ann",
        "    paused: true → false",
        "bob changed",
        "ann changed\n",
      ].join("\n"),
    );
    const after = await status(place, "bob");
    deepEqual([after.pubkey, after.tick_count], [before.pubkey, before.tick_count]);
    const { retention } = after.limits as { retention: Record<string, number> };
    equal(retention.trace, 100);
    const goals = (await place.run(["goals", "bob"])).out;
    match(goals, /completed .* learn\n/);
    match(goals, /active .* teach\n/, "a goal that the file no longer names stays");
    match(goals, /active .* rest\n/);
    equal((await status(place, "ann")).state !== "paused", true);
    equal(await applied(place), "Nothing differs.\n");
    const told = (await place.run(["cat", "bob/logs/trajectory"])).out.split("\n");
    equal(told.filter((line) => line.includes('"type":"configure"')).length, 2);
  });
});

const BOT = `
export default {
  name: "bot",
  async onTrigger(ctx: any, trigger: any) {
    if (trigger.type === "message") await ctx.reply("one " + trigger.text);
  },
};
`;

Deno.test("an agent of one's own is bundled from where the file is, and deployed when its source differs", async () => {
  await inPlace(async (place) => {
    await place.serve();
    Deno.mkdirSync(`${place.dir}/fleet/src`, { recursive: true });
    Deno.mkdirSync(`${place.dir}/fleet/repo`);
    Deno.writeTextFileSync(`${place.dir}/fleet/repo/readme`, "from the host");
    Deno.writeTextFileSync(`${place.dir}/fleet/src/bot.ts`, BOT);
    const fleet = `
version: 1
agents:
  bot: { agent: ./src/bot.ts, mounts: { /repo: { dir: ./repo, access: read_only } } }
`;
    Deno.writeTextFileSync(`${place.dir}/fleet/agents.yaml`, fleet);
    const apply = async (...more: string[]) => {
      const ended = await place.run(["apply", "-f", "fleet/agents.yaml", "--yes", ...more]);
      equal(ended.code, 0, ended.err);
      return ended.out;
    };
    match(await apply(), /^\+ bot {3}\.\/src\/bot\.ts · 1 mount\nbot created\n$/);
    equal((await place.run(["send", "bot", "hi", "--wait"])).out, "one hi\n");
    equal((await place.run(["cat", "bot/repo/readme"])).out, "from the host");
    equal(await apply(), "Nothing differs.\n");
    Deno.writeTextFileSync(`${place.dir}/fleet/src/bot.ts`, BOT.replace("one", "two"));
    Deno.writeTextFileSync(
      `${place.dir}/fleet/agents.yaml`,
      fleet.replace("read_only", "read_write"),
    );
    match(
      await apply(),
      /^~ bot\n {4}code: [0-9a-f]{12} → [0-9a-f]{12} \(\.\/src\/bot\.ts\)\n {4}mounts\.\/repo: read_only \/.* → read_write \/.*\nbot changed\n$/,
    );
    equal((await place.run(["send", "bot", "hi", "--wait"])).out, "two hi\n");
    equal(await apply(), "Nothing differs.\n");
    Deno.writeTextFileSync(`${place.dir}/fleet/src/bot.ts`, "export default {");
    const broken = await place.run(["apply", "-f", "fleet/agents.yaml", "--yes"]);
    equal(broken.code, 1);
    match(broken.err, /bot\.ts:1:/);
    equal((await place.run(["send", "bot", "hi", "--wait"])).out, "two hi\n");
  });
});

testOnTerminal("somebody who sits there is asked, and a no is a no", async () => {
  await inPlace(async (place) => {
    await place.serve();
    write(place, "version: 1\nagents: { new: { agent: echo } }\n");
    const args = ["apply", "-f", FILE, "--prune"];
    const question = "Change 2 agents, 1 of them deleted for good? [y/N] ";
    for (const no of ["n\r", "\r", "x\r"]) {
      const { code, shown } = await onTerminal(place, args, [[question, no]]);
      deepEqual([code, await ids(place)], [1, ["abc"]], shown);
      match(shown, /Nothing was changed/);
    }
    const given = await onTerminal(place, args, [[question, "\x03"]]);
    deepEqual([given.code, await ids(place)], [130, ["abc"]], given.shown);
    const { code, shown } = await onTerminal(place, args, [[question, "y\r"]]);
    deepEqual([code, await ids(place)], [0, ["new"]], shown);
    match(shown, /new created\r\nabc deleted/);
  });
});

Deno.test("--prune deletes who is not in the file, after all else has been done", async () => {
  await inPlace(async (place) => {
    await place.serve();
    write(place, "version: 1\nagents: { new: { agent: echo }, bad: { agent: nobody } }\n");
    const failed = await place.run(["apply", "-f", FILE, "--prune", "--yes"]);
    equal(failed.code, 1);
    match(failed.out, /^\+ new {3}echo\n\+ bad {3}nobody\n- abc {3}echo · 0 ticks, for good\n/);
    match(failed.err, /^failed: Cannot create bad: there is no built-in agent "nobody"/);
    match(failed.err, /error: 2 of 3 agents not as the file says\. What was done stands/);
    deepEqual(await ids(place), ["abc", "new"], "nobody is deleted when something failed");
    write(place, "version: 1\nagents: { new: { agent: echo } }\n");
    match(await applied(place, "--prune"), /abc deleted\n$/);
    deepEqual(await ids(place), ["new"]);
    write(place, "version: 1\nagents: {}\n");
    equal(await applied(place), "Nothing differs.\n");
    deepEqual(await ids(place), ["new"]);
  });
});

Deno.test("what cannot be done is said before anything is", async () => {
  await inPlace(async (place) => {
    await place.serve();
    write(place, "version: 1\nagents: { new: { agent: echo }, abc: { agent: counter } }\n");
    const { code, out, err } = await place.run(["apply", "-f", FILE, "--yes"]);
    deepEqual([code, out], [1, ""]);
    match(err, /^error: abc is made of echo and the file says counter: an agent cannot become/);
    match(err, /Nothing was changed\.$/m);
    deepEqual(await ids(place), ["abc"]);
  });
});

Deno.test("a mistake in the file is told with its line, and nothing is done", async () => {
  await inPlace(async (place) => {
    await place.serve();
    const says = async (text: string, line: RegExp) => {
      write(place, text);
      const { code, out, err } = await place.run(["apply", "-f", FILE, "--yes"]);
      deepEqual([code, out], [2, ""], err);
      match(err, line);
      equal(err.trimEnd().split("\n").length, 1, err);
    };
    await says("agents: [\n", /^error: agents\.yaml:2:1: /);
    await says("version: 1\nversion: 1\nagents: {}\n", /^error: agents\.yaml:2:1: .*unique/);
    await says("version: 2\nagents: {}\n", /agents\.yaml:1:10: version: /);
    await says(
      FLEET.replace("max_tick_ms", "max_tik_ms"),
      /agents\.yaml:10:19: agents\.bob\.limits\.max_tik_ms: there is no such field\. Did you mean max_tick_ms\?/,
    );
    await says(
      FLEET.replace("5000", "-5"),
      /agents\.yaml:10:20: agents\.bob\.limits\.max_tick_ms: /,
    );
    await says(FLEET.replace("agent: counter", "goal: x"), /agents\.yaml:\d+:\d+: agents\.bob/);
    await says(
      FLEET.replace("bob:", "BOB:"),
      /agents\.yaml:\d+:\d+: agents\.BOB: an agent id is 1 to 63/,
    );
    deepEqual(await ids(place), ["abc"]);
    const none = await place.run(["apply", "-f", "none.yaml"]);
    equal(none.code, 3);
    const json = JSON.stringify({ version: 1, agents: { j: { agent: "echo" } } });
    const piped = await place.run(["apply", "-f", "-", "--yes"], { input: json });
    equal(piped.code, 0, piped.err);
    ok((await ids(place)).includes("j"), "JSON is YAML");
  });
});
