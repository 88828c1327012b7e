/** The first minutes: the lines of the documentation, exactly as they are written. */
import { deepEqual, equal, match, ok } from "../assert.ts";
import { needs } from "../needs.ts";
import { withShell } from "./on_path.ts";
import { inPlace } from "./server.ts";

const PORT = 8080;
const curl = await has("curl");
const test = needs(curl ?? await taken(PORT));

async function has(program: string): Promise<string | undefined> {
  try {
    await new Deno.Command(program, { args: ["--version"], stdout: "null" }).output();
  } catch {
    return `there is no ${program} here`;
  }
}

function taken(port: number): string | undefined {
  try {
    Deno.listen({ hostname: "127.0.0.1", port }).close();
  } catch {
    return `port ${port} is used by another program`;
  }
}

/** Runs a line in a shell. */
async function shell(line: string): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command("sh", { args: ["-c", line] }).output();
  ok(success, `${line}: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

/** A meter line of curl's that tells of bytes received: it is connected and has read. */
const RECEIVED = /\r *\d+ +\S+ +\d+ +[1-9]/;

/** Runs a line that reads until the server stops; `stop` is called once it has read something. Into a pipe, curl writes late. */
async function untilStopped(line: string, stop: () => Promise<void>): Promise<string> {
  const child = new Deno.Command("sh", {
    args: ["-c", `exec ${line}`],
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const out = new Response(child.stdout).text();
  let meter = "";
  let stopped: Promise<void> | undefined;
  for await (const chunk of child.stderr.pipeThrough(new TextDecoderStream())) {
    meter += chunk;
    if (RECEIVED.test(meter)) stopped ??= stop();
  }
  await stopped;
  return await out;
}

test("three lines of curl on a fresh machine, after dev", async () => {
  await inPlace(async ({ start, dir }) => {
    const dev = start(["dev"]);
    equal(await dev.line(/^agentd /), `agentd 0.1.0   http://localhost:8080   data ./.agentd`);
    match(
      await dev.line(/^abc /),
      /^abc \(echo\) ready {6}next: curl -X POST localhost:8080\/agents\/abc\/send -d hi · /,
    );

    const tick = JSON.parse(await shell("curl -X POST localhost:8080/agents/abc/tick"));
    equal(tick.success, true);
    match(tick.tick_id, /^tick_/);

    const sent = JSON.parse(await shell("curl -X POST localhost:8080/agents/abc/send"));
    equal(sent.disposition, "queued");
    equal(sent.duplicate, false);

    const replied = await shell("curl -X POST 'localhost:8080/agents/abc/send?wait=30' -d hi");
    deepEqual(JSON.parse(replied).replies, [{ kind: "text", text: "hi" }]);

    equal(Deno.readTextFileSync(`${dir}/.agentd/pid`), `${dev.pid}\n`);
    const trace = await untilStopped("curl localhost:8080/agents/abc/logs/trace", async () => {
      dev.kill("SIGINT");
      equal((await dev.ended).code, 0);
    });
    const events = trace.split("\n").filter((line) => line.startsWith("data: "))
      .map((line) => JSON.parse(line.slice("data: ".length)));
    const ticked = events.filter(({ type }) => type === "tick_end").map((e) => e.envelope_id);
    equal(ticked.length, 3);
    equal(ticked[1], sent.envelope_id);
    match(trace, /^id: 1\nevent: lifecycle\n/m);
    // Nothing was written outside the data directory, and nothing of the running server is left in it.
    deepEqual([...Deno.readDirSync(dir)].map((e) => e.name), [".agentd"]);
    const left = new Set([...Deno.readDirSync(`${dir}/.agentd`)].map((e) => e.name));
    equal(left.has("pid") || left.has("server.json"), false);
  });
});

needs(await taken(PORT))(
  "an agent of one's own, from its first line to a power cut and back",
  async () => {
    await inPlace(async ({ start, dir }) => {
      await withShell(dir, async (agent) => {
        const dev = start(["dev"]);
        await dev.line(/^abc \(echo\) ready/);

        const made = await agent.run("agentd init bot && agentd create bot ./bot/agent.ts");
        equal(
          made.out,
          "wrote bot/agent.ts bot/agentd.d.ts bot/agent_test.ts\n" +
            "bot created   own process · no network · may spend $0\n",
        );
        equal(made.err, "");
        const sent = await agent.run('agentd send bot "remember milk" --wait');
        equal(sent.out, "1 item: milk\n");
        match(sent.err, /^tick 1 · \d+ (ms|s)\n$/);

        // The new server goes on in the background, and holds the shell's streams until it is stopped.
        const back = agent.run(
          "kill -9 $(cat .agentd/pid); agentd dev -q & agentd send bot list --wait; kill -TERM $(cat .agentd/pid)",
        );
        const { out, err } = await back;
        equal(out, "1 item: milk\n");
        match(err, /^tick 2 · \d+ (ms|s)\n$/);
        equal((await dev.ended).code, 137);
      });
    });
  },
);
