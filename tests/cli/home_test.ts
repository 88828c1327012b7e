import { deepEqual, equal, match, throws } from "../assert.ts";
import { findHome, ownToken, readToken, writePrivate } from "../../src/cli/home.ts";
import { exitOf } from "../../src/cli/exit.ts";

function inTemp(run: (dir: string) => void): void {
  const dir = Deno.makeTempDirSync();
  try {
    run(dir);
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
}

Deno.test("the data directory is where the first of five says", () => {
  inTemp((cwd) => {
    const all = { AGENTD_HOME: "/env", XDG_DATA_HOME: "/xdg", HOME: "/me" };
    const find = (vars: Record<string, string>, flag?: string, here = false) => {
      const { dir, from } = findHome({ flag, env: (n) => vars[n], cwd, here });
      return [dir, from];
    };
    deepEqual(find(all, "data"), [`${cwd}/data`, "--home"]);
    deepEqual(find(all), ["/env", "AGENTD_HOME"]);
    deepEqual(find({ XDG_DATA_HOME: "/xdg", HOME: "/me" }), ["/xdg/agentd", "XDG_DATA_HOME"]);
    deepEqual(find({ HOME: "/me" }), ["/me/.local/share/agentd", "HOME"]);
    deepEqual(find({ HOME: "/me" }, undefined, true), [`${cwd}/.agentd`, "./.agentd"]);
    Deno.mkdirSync(`${cwd}/.agentd`);
    deepEqual(find({ HOME: "/me" }), [`${cwd}/.agentd`, "./.agentd"]);
  });
});

Deno.test("where nothing says, that is a usage error", () => {
  inTemp((cwd) => {
    throws(
      () => findHome({ flag: undefined, env: () => undefined, cwd }),
      (error: unknown) => exitOf(error) === 2,
    );
  });
});

Deno.test("a path is shown as its reader would write it", () => {
  const shown = (flag: string, cwd = "/me/project") =>
    findHome({ flag, env: (n) => n === "HOME" ? "/me" : undefined, cwd }).shown;
  equal(shown(".agentd"), "./.agentd");
  equal(shown("/me/.local/share/agentd"), "~/.local/share/agentd");
  equal(shown("/srv/agentd"), "/srv/agentd");
});

Deno.test("the token is made once, is long, and is readable by its owner alone", () => {
  inTemp((dir) => {
    const home = { dir, shown: dir, from: "--home" };
    equal(readToken(home), undefined);
    const token = ownToken(home);
    match(token, /^agentd_[A-Za-z0-9_-]{43}$/);
    equal(ownToken(home), token);
    equal(readToken(home), token);
    equal(Deno.statSync(`${dir}/token`).mode! & 0o777, 0o600);
    writePrivate(home, "token", "other\n");
    equal(Deno.statSync(`${dir}/token`).mode! & 0o777, 0o600);
    deepEqual([...Deno.readDirSync(dir)].map((e) => e.name), ["token"]);
  });
});
