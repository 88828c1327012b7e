import assert from "../../assert.ts";
import { type Code, hasCode } from "../../../src/fs/error.ts";
import { dockerCli } from "../../../src/providers/containers/cli.ts";
import { busyboxImage, testWithDocker } from "../../docker/engine.ts";
import { sessionsOf } from "../../../src/providers/containers/sessions.ts";
import { inside, NEVER, ownHome } from "./home.ts";

const DEAD_ENGINE = { DOCKER_HOST: "unix:///nonexistent/docker.sock" };

const says = (code: Code, sentence: RegExp) => (error: unknown) => {
  assert.match(String(error), sentence);
  return hasCode(error, code);
};

testWithDocker("a command's end, its output and its words are told", async () => {
  const image = await busyboxImage();
  const run = ["run", "--rm", "-i", "--network=none", image, "sh", "-c"];
  const ended = await dockerCli().run([...run, "cat; echo err >&2; exit 3"], {
    stdin: new TextEncoder().encode("in"),
  });
  assert.deepEqual(ended, { code: 3, stdout: "in", stderr: "err\n" });
  assert.deepEqual(await dockerCli().run([...run, "cat"]), { code: 0, stdout: "", stderr: "" });
});

testWithDocker("what a command prints is bounded, and what it complains of is cut", async () => {
  await using home = await ownHome();
  const spec = home.spec();
  await sessionsOf(home.cli, home.house, () => false, Date.now).start(spec, NEVER);
  // What runs on after its client is gone, goes with the container.
  const run = ["exec", `agentd-${spec.session_id}`, "sh", "-c"];
  await assert.rejects(home.cli.run([...run, "yes"]), says("too_large", /more than/));
  const { stderr, code } = await home.cli.run([...run, "yes | head -c 1000000 >&2"]);
  assert.deepEqual([code, stderr.length], [0, 16 * 1024]);
});

testWithDocker(
  "who aborts is rid of a command at once, and what runs in the container is not ended by it",
  async () => {
    await using home = await ownHome();
    const spec = home.spec();
    await sessionsOf(home.cli, home.house, () => false, Date.now).start(spec, NEVER);
    const control = new AbortController(), reason = new Error("enough");
    const name = `agentd-${spec.session_id}`;
    const script = "mkfifo go; echo began > began; cat go > done";
    const run = home.cli.run(["exec", name, "sh", "-c", script], { signal: control.signal });
    await inside(spec.session_id, "until [ -s began ]; do :; done");
    control.abort(reason);
    await assert.rejects(run, reason);
    await inside(spec.session_id, "echo on > go; until [ -s done ]; do :; done");
    await assert.rejects(home.cli.run(["version"], { signal: control.signal }), reason);
  },
);

testWithDocker("a command that takes too long is ended", async () => {
  const late = dockerCli().run(["events"], { withinMs: 1 });
  await assert.rejects(late, says("provider_unavailable", /did not answer within 1 s/));
});

testWithDocker("no engine, no such thing: the refusal says which", async () => {
  await busyboxImage();
  const dead = dockerCli({ env: DEAD_ENGINE });
  await assert.rejects(dead.ask(["ps"], "x"), says("provider_unavailable", /start it/));
  const absent = dockerCli().ask(["image", "inspect", "agentd-test/absent:1"], "absent");
  await assert.rejects(absent, says("not_found", /"absent".*agentd images pull/));
});

const CLI = new URL("../../../src/providers/containers/cli.ts", import.meta.url).href;

/** What a program of its own gets as the answer of `docker version`: its standing, or the error. */
async function elsewhere(flags: string[], env: Record<string, string>): Promise<string> {
  const program = `import { dockerCli } from ${JSON.stringify(CLI)};
    const asked = dockerCli({ env: {} }).run(["version"]);
    console.log(await asked.then(({ code }) => "ended with " + code, String));`;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "--no-prompt", ...flags, "--ext=ts", "-"],
    cwd: new URL("../../../", import.meta.url),
    env,
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const output = child.output();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(program));
  await writer.close();
  return new TextDecoder().decode((await output).stdout).trim();
}

Deno.test("where there is no docker, it is said what to install", async () => {
  const said = await elsewhere(["--allow-run", "--allow-read"], { PATH: "/nonexistent" });
  assert.match(said, /provider_unavailable \(there is no docker on this machine; install Docker/);
});

Deno.test("without the permission to run it, it is said which one is missing", async () => {
  assert.match(
    await elsewhere(["--allow-read"], {}),
    /provider_unavailable \(.*--allow-run=docker/,
  );
});

testWithDocker("the permission to run docker is all that it takes", async () => {
  const path = await findOnPath();
  assert.equal(await elsewhere([`--allow-run=${path}`, "--allow-read"], {}), "ended with 0");
});

async function findOnPath(): Promise<string> {
  for (const dir of (Deno.env.get("PATH") ?? "").split(":")) {
    const path = `${dir}/docker`;
    if (await Deno.stat(path).then(({ isFile }) => isFile, () => false)) return path;
  }
  throw new Error("docker is on no path");
}
