/** The doctor in real places: a fresh one, one with a server, damaged ones, one where it may not look. */
import { deepEqual, equal, match, ok } from "../assert.ts";
import { busyboxImage, dockerSays, testWithDocker } from "../docker/engine.ts";
import { needs } from "../needs.ts";
import { BINARY, type Options } from "./program.ts";
import { inPlace, type Place } from "./server.ts";

interface Finding {
  readonly group: string;
  readonly name: string;
  readonly state: string;
  readonly found: string;
  readonly from?: string;
  readonly todo?: string;
}

async function examined(place: Place, wanted = 0, options: Partial<Options> = {}) {
  const env = { HOME: place.dir, ...options.env };
  const { code, out, err } = await place.run(["doctor", "--json"], { ...options, env });
  const { ok, findings } = JSON.parse(out) as { ok: boolean; findings: Finding[] };
  const broken = findings.filter(({ state }) => state === "broken");
  equal(code, wanted, `${err}${JSON.stringify(broken)}`);
  equal(ok, wanted === 0);
  return (name: string) => findings.find((finding) => finding.name === name)!;
}

/** A name of the tests' image without a tag, as people write it. */
const UNTAGGED = `agentd-test/untagged-${crypto.randomUUID()}`;
const ANY_PORT = { AGENTD_LISTEN: "127.0.0.1:0" };

Deno.test("nothing there yet is no fault", async () => {
  await inPlace(async (place) => {
    const look = await examined(place, 0, { env: ANY_PORT });
    deepEqual(look("listen"), {
      group: "Settings",
      name: "listen",
      state: "ok",
      found: "127.0.0.1:0",
      from: "AGENTD_LISTEN",
    });
    equal(look("grace_ms").from, "default");
    equal(look("directory").state, "absent");
    match(look("directory").todo!, / dev makes it\.$/);
    equal(look("server").state, "absent");
    equal(look("program").state, "ok");
    equal(look("clock").state, "ok");
    // Nothing was made by looking.
    deepEqual([...Deno.readDirSync(place.dir)], []);
  });
});

Deno.test("with a server, and after it", async () => {
  await inPlace(async (place) => {
    const server = await place.serve();
    const running = await examined(place);
    match(
      running("server").found,
      new RegExp(`^${server.url} · pid ${server.pid} · .* · 1 agent$`),
    );
    match(running("database").found, /open in the server/);
    match(running("directory").found, /^\.\/\.agentd · 0700 · /);
    equal(running("free space").state, "ok");
    equal(running("keys").found, "0600");
    equal(running("token").found, "0600");
    if (Deno.build.os === "linux") {
      match(running("own processes").found, /^one started in \d+ (ms|s)$/);
    }
    const lines = (await place.run(["doctor"])).out;
    match(lines, /^Settings\n {2}✓ listen +127\.0\.0\.1:8080 +default\n/);
    ok(!lines.includes("\x1b"), "colour in a pipe");

    await server.kill();
    const killed = await examined(place);
    match(killed("server").found, /the last one was killed$/);
    match(killed("database").found, /^\S+ KiB · schema \d+ · sound$/);
    await (await place.serve()).stop();
    match((await examined(place))("server").found, /^none runs in \.\/\.agentd$/);
  });
});

Deno.test("what is broken is told with what to do, and the exit code says so", async () => {
  await inPlace(async (place) => {
    await (await place.serve()).stop();
    const home = `${place.dir}/.agentd`;
    Deno.chmodSync(`${home}/token`, 0o644);
    const open = await examined(place, 1);
    deepEqual([open("token").state, open("token").todo], [
      "broken",
      "Others may read it: chmod 600 ./.agentd/token",
    ]);
    Deno.chmodSync(`${home}/token`, 0o600);

    Deno.writeTextFileSync(`${home}/agentd.json`, '{"listn":1}');
    match((await examined(place, 1))("settings").found, /"listn"\. Did you mean listen\?$/);
    Deno.writeTextFileSync(`${home}/agentd.json`, '{"grace_ms":7}');
    deepEqual([(await examined(place))("grace_ms").from], ["./.agentd/agentd.json: grace_ms"]);

    const ahead = new Date(Date.now() + 3_600_000);
    Deno.utimeSync(`${home}/token`, ahead, ahead);
    match((await examined(place, 1))("clock").todo!, /files in \.\/\.agentd are \d+ min ahead/);
    Deno.utimeSync(`${home}/token`, new Date(), new Date());

    Deno.writeTextFileSync(`${home}/agentd.db`, "no database ".repeat(1000));
    const damaged = await examined(place, 1);
    match(damaged("database").found, /damaged or no database/);
    const said = await place.run(["doctor"]);
    match(said.out, /\n {2}✗ database /);
    equal(said.err, "error: 1 thing to mend: see ✗ above\n");
  });
});

Deno.test("a seller of models whose key is not there is told with what sets it", async () => {
  await inPlace(async (place) => {
    const file = `${place.dir}/.agentd/agentd.json`;
    Deno.mkdirSync(`${place.dir}/.agentd`, { mode: 0o700 });
    const settings = (vendor: string) =>
      Deno.writeTextFileSync(file, JSON.stringify({ compute: { cloud: [{ vendor }] } }));
    settings("openai");
    const server = await place.serve();
    const secret = async (...words: string[]) =>
      equal((await place.run(["secret", ...words], { input: "sk-0123456789" })).code, 0);
    const wanted = async (found: string) => {
      const openai = (await examined(place))("openai");
      deepEqual([openai.state, openai.found], ["absent", found]);
      return openai.todo!.slice(openai.todo!.indexOf("set ")).split(" ");
    };
    await secret(...await wanted("there is no secret OPENAI_API_KEY"));
    equal((await examined(place))("openai").state, "ok");
    await secret("rm", "OPENAI_API_KEY");
    await secret("set", "OPENAI_API_KEY", "--host", "example.com");
    await secret(...await wanted("OPENAI_API_KEY is not bound to /compute"));
    equal((await examined(place))("openai").state, "ok");
    await server.stop();
    settings("opnai");
    match((await examined(place, 1))("sellers").found, /^compute\.cloud\.0\.vendor: /);
  });
});

testWithDocker(
  "the engine of containers: what it is, what it can limit, what is there and what is not",
  async () => {
    const image = await busyboxImage();
    await inPlace(async (place) => {
      const PATH = Deno.env.get("PATH") ?? "";
      /** What it says of containers: what else is on this machine now is not the question here. */
      const looked = async (env: Readonly<Record<string, string>>) => {
        const { out } = await place.run(["doctor", "--json"], { env: { HOME: place.dir, ...env } });
        const { findings } = JSON.parse(out) as { findings: Finding[] };
        const ours = findings.filter(({ group }) => group === "Containers");
        return {
          find: (name: string) => ours.find((finding) => finding.name === name)!,
          broken: ours.filter(({ state }) => state === "broken").map(({ name }) => name),
        };
      };
      const settings = (containers: unknown) => {
        Deno.mkdirSync(`${place.dir}/.agentd`, { recursive: true, mode: 0o700 });
        Deno.writeTextFileSync(
          `${place.dir}/.agentd/agentd.json`,
          JSON.stringify({ listen: "127.0.0.1:0", containers }),
        );
      };
      settings({ images: [image, "agentd-test/none:1"] });
      const { find: here, broken } = await looked({ PATH });
      deepEqual(broken, []);
      match(here("Docker").found, /^\d+\.\d+.* · cgroup v[12] · /);
      deepEqual([here("limits").state, here("limits").found], [
        "ok",
        "memory, swap, processors, processes",
      ]);
      deepEqual([here("images").state, here("images").found], ["ok", image]);
      match(
        here("images").todo!,
        /^Not here: agentd-test\/none:1\. .* images pull fetches them\.$/,
      );

      await dockerSays(["tag", image, `${UNTAGGED}:latest`]);
      try {
        settings({ images: [UNTAGGED] });
        const { find: untagged } = await looked({ PATH });
        deepEqual([untagged("images").state, untagged("images").found], ["ok", UNTAGGED]);
      } finally {
        await dockerSays(["rmi", `${UNTAGGED}:latest`]);
      }

      settings({ docker: { runtime: "none-such" }, images: ["agentd-test/none:1"] });
      const { find: other } = await looked({ PATH });
      deepEqual([other("runtime").state, other("images").state], ["broken", "absent"]);

      const env = { PATH, DOCKER_HOST: `unix://${place.dir}/none.sock` };
      const { find: down } = await looked(env);
      deepEqual([down("Docker").state, down("limits")], ["absent", undefined]);
      match(down("Docker").todo!, /^Only agents that run programs need it: start it/);

      settings({ docker: { enabled: false } });
      equal((await looked({ PATH })).find("Docker").found, "switched off");
      settings({ dokcer: {} });
      const wrong = (await looked({ PATH })).find("Docker");
      deepEqual([wrong.state, /containers: .*dokcer/.test(wrong.found)], ["broken", true]);
    });
  },
);

needs(BINARY === undefined ? undefined : "the binary has all of its permissions in it", false)(
  "where it may not look it says so, and calls nothing broken",
  async () => {
    await inPlace(async (place) => {
      await (await place.serve()).stop();
      const flags = ["--no-prompt", "--allow-env=AGENTD_*,HOME", "--allow-read"];
      const look = await examined(place, 0, { flags });
      for (
        const [name, permission] of [
          ["directory", "write"],
          ["free space", "sys"],
          ["Ollama", "net"],
          ["own processes", "run"],
        ] as const
      ) {
        equal(look(name).state, "unseen", name);
        equal(look(name).todo, `It was started without --allow-${permission}.`);
      }
      equal(look("keys").state, "ok");
    });
  },
);
