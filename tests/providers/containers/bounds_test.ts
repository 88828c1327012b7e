/** What an operator's own settings and a session's own files come to in it. */
import assert from "../../assert.ts";
import { hasCode } from "../../../src/fs/error.ts";
import { dockerCli } from "../../../src/providers/containers/cli.ts";
import { PROXIES, sessionContainer } from "../../../src/providers/containers/container.ts";
import { docker as provided } from "../../../src/providers/containers/docker.ts";
import { sessionsOf } from "../../../src/providers/containers/sessions.ts";
import { docker, dockerSays, testWithDocker } from "../../docker/engine.ts";
import { NEVER, ownHome } from "./home.ts";
import { ownSession } from "./own_session.ts";

/** An image of its own, gone at the end. */
async function builtOn(base: string, lines: string): Promise<AsyncDisposable & { name: string }> {
  const name = `agentd-test/built-${crypto.randomUUID()}:1`;
  const file = new TextEncoder().encode(`FROM ${base}\n${lines}\n`);
  await dockerSays(["build", "-q", "-t", name, "-"], file);
  return { name, [Symbol.asyncDispose]: async () => void await docker(["rmi", "-f", name]) };
}

testWithDocker("an operator's proxies, with their passwords, are in no session", async () => {
  await using home = await ownHome();
  const dir = await Deno.makeTempDir({ prefix: "agentd-config-" });
  const proxy = "http://somebody:secret@proxy.test:3128";
  const all = ["httpProxy", "httpsProxy", "ftpProxy", "noProxy", "allProxy"];
  const config = { proxies: { default: Object.fromEntries(all.map((one) => [one, proxy])) } };
  await Deno.writeTextFile(`${dir}/config.json`, JSON.stringify(config));
  const host = await dockerSays(["context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]);
  const env = { DOCKER_CONFIG: dir, DOCKER_HOST: host };
  const seen = async (container: string): Promise<string[]> =>
    JSON.parse(await dockerSays(["inspect", "--format", "{{json .Config.Env}}", container]));
  const { image } = home.spec();
  await using own = await builtOn(image, "ENV https_proxy=http://image.test:1");
  // Without more it would have them.
  const cli = dockerCli({ env });
  const label = `--label=agentd.home=${home.house.home}`;
  const plain = await cli.ask(["create", "--network=none", label, image], image);
  assert.ok((await seen(plain)).includes(`HTTP_PROXY=${proxy}`));

  const spec = home.spec(), withOwn = home.spec({ image: own.name });
  const sessions = sessionsOf(cli, home.house, () => false, Date.now);
  for (const one of [spec, withOwn]) await sessions.start(one, NEVER);
  const set = await seen(sessionContainer(spec.session_id));
  assert.ok(!set.join("\n").includes("secret"), set.join("\n"));
  assert.ok(
    (await seen(sessionContainer(withOwn.session_id))).includes("https_proxy=http://image.test:1"),
  );

  // A command has what its image and who runs it say, and no empty one besides.
  const provider = provided({ home: home.house.home, images: [image], gitImage: image, env });
  const printed = async (session: string, more: Record<string, string> = {}) => {
    let said = "";
    await provider.exec(session, {
      exec_id: crypto.randomUUID(),
      command: "env",
      env: more,
      workdir: "",
    }, {
      from: undefined,
      signal: NEVER,
      take: ({ bytes }) => Promise.resolve(void (said += new TextDecoder().decode(bytes))),
    });
    return said.split("\n").filter((line) => PROXIES.includes(line.split("=")[0]!));
  };
  assert.deepEqual(await printed(spec.session_id), []);
  assert.deepEqual(
    (await printed(withOwn.session_id, { HTTP_PROXY: "http://mine.test:2" })).sort(),
    [
      "HTTP_PROXY=http://mine.test:2",
      "https_proxy=http://image.test:1",
    ],
  );
  await sessions.stop(withOwn.session_id);
  await provider.close();
  await Deno.remove(dir, { recursive: true });
});

const FILL =
  "for dir in /run/agentd /dev/shm /tmp .; do dd if=/dev/zero of=$dir/full bs=64k; done 2>&1";

testWithDocker("files do not fill a session's memory: its disk is full before", async () => {
  for (const max_memory_mb of [24, 64]) {
    await using session = await ownSession({ limits: { max_memory_mb, max_disk_mb: 512 } });
    const filled = await session.run(`${FILL}; rm /run/agentd/full`);
    assert.equal(filled.out.match(/No space left on device/g)?.length, 4, filled.out);
    assert.equal(filled.out_of_memory, false);
    const more = new Uint8Array(1024 * 1024);
    await assert.rejects(
      session.files.write("more", more),
      (error) => hasCode(error, "quota_exceeded"),
    );
    assert.equal((await session.run("rm full; echo well")).out, "well\n");
    await session.files.write("more", more);
  }
});

testWithDocker("a session that the kernel ends for want of memory is told as such", async () => {
  await using home = await ownHome();
  const names = Array.from({ length: 24 }, (_, n) => `/data/${n}`);
  await using own = await builtOn(home.spec().image, `VOLUME ${names.join(" ")}`);
  await using session = await ownSession({ image: own.name, limits: { max_memory_mb: 24 } });
  const fill = "for d in /data/*; do dd if=/dev/zero of=$d/full bs=64k; done; :";
  // Until nothing of it is left: some commands are killed, and then the session's own program is.
  const isKilled = async () => {
    try {
      return (await session.run(fill)).out_of_memory;
    } catch (error) {
      assert.ok(hasCode(error, "out_of_memory") || hasCode(error, "interrupted"), String(error));
      return true;
    }
  };
  assert.ok(await isKilled());
  await docker([
    "exec",
    session.container,
    "sh",
    "-c",
    "while :; do for p in /proc/[0-9]*; do [ $p = /proc/$$ ] || kill -9 ${p#/proc/}; done; done",
  ]);
  await dockerSays(["wait", session.container]);
  await assert.rejects(session.run("true"), (error) => hasCode(error, "out_of_memory"));
  await session.provider.stop(session.id);
});
