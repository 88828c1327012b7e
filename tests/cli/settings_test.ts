import { deepEqual, equal, match, throws } from "../assert.ts";
import { exitOf, lineOf } from "../../src/cli/exit.ts";
import type { Home } from "../../src/cli/home.ts";
import { readSettings, type SettingName } from "../../src/cli/settings.ts";

function withHome(files: Record<string, string>, run: (home: Home) => void): void {
  const dir = Deno.makeTempDirSync();
  try {
    for (const [name, text] of Object.entries(files)) {
      Deno.writeTextFileSync(`${dir}/${name}`, text);
    }
    run({ dir, shown: "./.agentd", from: "--home" });
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
}

function read(
  home: Home,
  vars: Record<string, string> = {},
  flags: Partial<Record<SettingName, unknown>> = {},
) {
  return readSettings({ home, env: (n) => vars[n], names: Object.keys(vars), flags });
}

function refusal(home: Home, vars: Record<string, string> = {}): string {
  let line = "";
  throws(() => read(home, vars), (error: unknown) => {
    line = lineOf(error);
    return exitOf(error) === 2;
  });
  return line;
}

Deno.test("the file, then the environment, then flags; each says where it came from", () => {
  const text = '{ "listen": "127.0.0.1:1", "grace_ms": 5, "allow_host": ["a", "b",] } // mine';
  withHome({ "agentd.jsonc": text }, (home) => {
    const vars = { AGENTD_LISTEN: "127.0.0.1:2", AGENTD_REQUIRE_TOKEN: "1" };
    const { settings, from } = read(home, vars, { listen: "127.0.0.1:3" });
    deepEqual(settings, {
      listen: "127.0.0.1:3",
      require_token: true,
      allow_host: ["a", "b"],
      grace_ms: 5,
      hooks: {},
      model_server: [],
      compute: {},
      containers: {},
    });
    deepEqual(from, {
      listen: "--listen",
      require_token: "AGENTD_REQUIRE_TOKEN",
      allow_host: "./.agentd/agentd.jsonc: allow_host",
      grace_ms: "./.agentd/agentd.jsonc: grace_ms",
      hooks: "default",
      model_server: "default",
      compute: "default",
      containers: "default",
    });
    equal(read(home, vars).settings.listen, "127.0.0.1:2");
    equal(read(home).settings.listen, "127.0.0.1:1");
  });
  withHome({}, (home) => equal(read(home).from.listen, "default"));
});

Deno.test("model servers are URLs, by a flag, a variable or the file", () => {
  withHome({}, (home) => {
    const url = "http://127.0.0.1:8081/v1";
    deepEqual(read(home, { AGENTD_MODEL_SERVER: url }).settings.model_server, [url]);
    deepEqual(read(home, { AGENTD_MODEL_SERVER: `${url}, https://x/v1` }).settings.model_server, [
      url,
      "https://x/v1",
    ]);
  });
  withHome({ "agentd.json": '{"model_server":["localhost"]}' }, (home) => {
    match(refusal(home), /model_server: \["localhost"\] is not a list of URLs/);
  });
});

Deno.test("hooks stand in the file alone", () => {
  withHome({ "agentd.json": '{"hooks":{"gh":{"agent":"bob"}}}' }, (home) => {
    deepEqual(read(home, { AGENTD_HOOKS: "x" }).settings.hooks, { gh: { agent: "bob" } });
    deepEqual(
      read(home, { AGENTD_HOOK_GH: "a secret" }).from.hooks,
      "./.agentd/agentd.json: hooks",
    );
  });
  withHome({ "agentd.json": '{"hooks":[]}' }, (home) => {
    match(refusal(home), /agentd\.json: hooks: \[\] is not an object of hooks/);
  });
});

Deno.test("an unknown setting is refused, with the one that was meant", () => {
  withHome({ "agentd.json": '{"listne":"x:1"}' }, (home) => {
    match(refusal(home), /agentd\.json: there is no setting "listne"\. Did you mean listen\?/);
  });
  withHome({ "agentd.json": '{"constructor":1}' }, (home) => {
    match(refusal(home), /no setting "constructor"/);
  });
  withHome({}, (home) => {
    equal(
      refusal(home, { AGENTD_LISTN: "x" }),
      "There is no setting AGENTD_LISTN. Did you mean AGENTD_LISTEN?",
    );
  });
});

Deno.test("names that a container platform sets for a service called agentd are left alone", () => {
  withHome({}, (home) => {
    const vars = {
      AGENTD_PORT: "tcp://10.0.0.1:8080",
      AGENTD_SERVICE_HOST: "10.0.0.1",
      AGENTD_SERVICE_PORT: "8080",
      AGENTD_PORT_8080_TCP_ADDR: "10.0.0.1",
    };
    equal(read(home, vars).settings.listen, "127.0.0.1:8080");
  });
});

Deno.test("a bad value names the place where it stands", () => {
  withHome({ "agentd.json": '{"grace_ms":-1}' }, (home) => {
    match(refusal(home), /^\.\/\.agentd\/agentd\.json: grace_ms: -1 is not whole milliseconds/);
  });
  withHome({ "agentd.json": "{\n oops }" }, (home) => {
    match(refusal(home), /agentd\.json is not JSON.*line 2/);
  });
  withHome({ "agentd.json": "[]" }, (home) => match(refusal(home), /is not a JSON object/));
  withHome({ "agentd.json": "{}", "agentd.jsonc": "{}" }, (home) => match(refusal(home), /both/));
  withHome({}, (home) => {
    match(refusal(home, { AGENTD_REQUIRE_TOKEN: "maybe" }), /"maybe" is not true or false/);
    match(refusal(home, { AGENTD_ALLOW_HOST: "a,b c" }), /not a list of host names/);
  });
});
