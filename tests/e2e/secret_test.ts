/** `agentd secret` and its files, by the real program: a value goes in and never comes out. */
import { deepEqual, equal, match, ok } from "../assert.ts";
import { inPlace, type Place } from "./server.ts";
import { onTerminal, testOnTerminal } from "./terminal.ts";

const VALUE = "value-of-the-secret-0123";

/** Every file of the data directory, by its name. */
async function filesOf(dir: string): Promise<[string, Uint8Array][]> {
  const found: [string, Uint8Array][] = [];
  for await (const { name, isFile, isDirectory } of Deno.readDir(dir)) {
    if (isFile) found.push([name, await Deno.readFile(`${dir}/${name}`)]);
    if (isDirectory) found.push(...await filesOf(`${dir}/${name}`));
  }
  return found;
}

async function mustBeNowhere({ dir }: Place, value: string): Promise<void> {
  for (const [name, bytes] of await filesOf(`${dir}/.agentd`)) {
    const text = new TextDecoder("latin1").decode(bytes);
    ok(!text.includes(value) && !text.includes(btoa(value)), `${name} holds the value`);
  }
}

Deno.test("a secret is set from standard input, outlives its server, and goes; its value is in no answer and no file", async () => {
  await inPlace(async (place) => {
    const first = await place.serve();
    const set = ["secret", "set", "API_KEY", "--host", "api.example.com,*.example.org:8443"];
    const done = await place.run([...set, "--agent", "abc"], { input: `${VALUE}\n` });
    deepEqual([done.code, done.out], [0, "API_KEY set\n"], done.err);
    match(done.err, /bound to \/http · to api\.example\.com, \*\.example\.org:8443 · abc/);
    for (const name of ["secrets", "runtime_key"]) {
      equal((await Deno.stat(`${place.dir}/.agentd/${name}`)).mode! & 0o777, 0o600, name);
    }
    await mustBeNowhere(place, VALUE);
    await first.stop();
    await place.serve();
    const listed = await place.run(["secret", "list"]);
    match(
      listed.out,
      /^NAME +MOUNTS +HOSTS +AGENTS +SET\nAPI_KEY +\/http +api\.example\.com,\S+ +abc +\S+.*\n$/,
    );
    const all = await place.run(["secret", "list", "--json"]);
    equal(JSON.parse(all.out)[0].name, "API_KEY");
    const bound = await place.run([
      "secret",
      "set",
      "API_KEY",
      "--mount",
      "/compute",
      "--host",
      "a.test",
      "--mount",
      "/http",
      "--keep-value",
      "--json",
    ]);
    deepEqual(JSON.parse(bound.out).secret.mounts, ["/compute", "/http"]);
    const doctor = await place.run(["doctor"]);
    match(doctor.out, /runtime_key/);
    equal((await place.run(["secret", "rm", "API_KEY"])).out, "API_KEY removed\n");
    equal((await place.run(["secret", "rm", "API_KEY"])).code, 3);
    for (const { out, err } of [done, listed, all, bound, doctor]) ok(!(out + err).includes(VALUE));
  });
});

testOnTerminal(
  "a secret is typed unseen on a terminal, and is no word of the command line",
  async () => {
    await inPlace(async (place) => {
      await place.serve();
      const { code, shown } = await onTerminal(place, [
        ...["secret", "set", "API_KEY", "--host", "api.example.com"],
      ], [["value of API_KEY: ", `${VALUE}\r`]]);
      equal(code, 0, shown);
      match(shown, /API_KEY set/);
      ok(!shown.includes(VALUE), shown);
      const word = await place.run(["secret", "set", "API_KEY", VALUE]);
      equal(word.code, 2);
      const empty = await place.run(["secret", "set", "API_KEY"], { input: "" });
      deepEqual([empty.code, empty.out], [2, ""]);
      const short = await place.run(["secret", "set", "API_KEY"], { input: "12345" });
      match(short.err, /at least 6 characters, this one 5/);
      const nowhere = await place.run(["secret", "set", "NEW_ONE"], { input: VALUE });
      match(nowhere.err, /bound to mounts/);
      await mustBeNowhere(place, VALUE);
    });
  },
);

Deno.test("only who has the token sees or changes secrets", async () => {
  await inPlace(async (place) => {
    const { url } = await place.serve();
    const env = { AGENTD_URL: url };
    const local = await place.run(["secret", "list"], { cwd: "/", env });
    equal(local.code, 4);
    const put = await fetch(`${url}/secrets/API_KEY`, {
      method: "PUT",
      body: JSON.stringify({ value: VALUE, hosts: ["api.example.com"] }),
    });
    equal(put.status, 403);
    ok(!(await put.text()).includes(VALUE));
    const token = (await Deno.readTextFile(`${place.dir}/.agentd/token`)).trim();
    const headers = { authorization: `Bearer ${token}` };
    const broken = await fetch(`${url}/secrets/API_KEY`, {
      method: "PUT",
      headers,
      body: `{"value":"${VALUE}" and no JSON`,
    });
    equal(broken.status, 400);
    ok(!(await broken.text()).includes(VALUE.slice(0, 8)));
  });
});
