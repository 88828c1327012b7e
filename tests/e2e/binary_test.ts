/** The binary alone, wherever it lies, whatever it is called, and whoever starts it: it needs nothing but itself. */
import { deepEqual, equal, match } from "../assert.ts";
import { needs } from "../needs.ts";
import { BINARY, type Ended, ofBinary, type Options, run } from "./program.ts";
import { inPlace, type Place } from "./server.ts";

const ANY = ["--listen", "127.0.0.1:0"];
/** Nobody: no files, no rights, no home. */
const NOBODY = "65534";
const AGENT = `import { z } from "zod";
const Text = z.string().min(1);
export default {
  name: "up",
  onTrigger: (ctx, t) => ctx.reply(Text.parse(t.text).toUpperCase()),
};
`;

/** The same, with nothing to bundle. */
const UP = "export default { name: 'up', onTrigger: (ctx, t) => ctx.reply(t.text.toUpperCase()) };";

/** The binary under a name of ours in the test's folder, which everybody may enter. */
function copied(place: Place, name: string): string {
  const path = `${place.dir}/${name}`;
  Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
  Deno.copyFileSync(BINARY!, path);
  Deno.chmodSync(path, 0o755);
  Deno.chmodSync(place.dir, 0o755);
  return path;
}

/** Runs what must succeed and say nothing on standard error. @returns what it printed */
async function said(words: readonly string[], options: Options): Promise<string> {
  const { code, out, err } = await run(words, options);
  deepEqual([code, err], [0, ""], `${words.join(" ")}: ${err}`);
  return out;
}

ofBinary(
  "under any name, in any folder, from an empty environment: all of it is inside",
  async () => {
    await inPlace(async (place) => {
      const program = copied(place, "tools/no such name 2");
      Deno.mkdirSync(`${place.dir}/elsewhere`);
      const cwd = `${place.dir}/elsewhere`;
      const options = { program, cwd, env: { TMPDIR: `${place.dir}/tmp` } };
      Deno.mkdirSync(options.env.TMPDIR);
      match(await said(["version"], options), /^agentd \d+\.\d+\.\d+ /);
      // An agent's source is bundled, with zod, and runs in a process of its own: the same file started again.
      Deno.writeTextFileSync(`${cwd}/up.ts`, AGENT);
      const served = await place.serve(["dev", ...ANY], options);
      match(await said(["create", "up", "./up.ts"], options), /^up created /);
      equal((await run(["send", "up", "hi", "--wait"], options)).out, "HI\n");
      // A directory of the host is looked at by a thread of its own, whose module is inside too.
      Deno.writeTextFileSync(`${place.dir}/tools/note.txt`, "found");
      await said(["mounts", "up", "set", "/tools", "read_only", "--dir", "../tools"], options);
      equal(await said(["cat", "up/tools/note.txt"], options), "found");
      // The page and its parts.
      for (const path of ["/", "/openapi.json"]) {
        const response = await fetch(served.url + path);
        deepEqual([path, response.status], [path, 200]);
        await response.body?.cancel();
      }
      // Replaced while it runs, it goes on.
      Deno.removeSync(program);
      Deno.copyFileSync("/bin/true", program);
      const client = { program: BINARY!, cwd };
      await said(["hibernate", "up"], client);
      equal((await run(["send", "up", "hi again", "--wait"], client)).out, "HI AGAIN\n");
      const { code, err } = await served.stop();
      equal(code, 0);
      // Nothing but its own lines: no remark on a program that is missing, none on a permission.
      match(err, /^stopping; [^\n]*\n$/);
      deepEqual([...Deno.readDirSync(cwd)].map((e) => e.name).sort(), [".agentd", "up.ts"]);
      // Nor is anything kept where others could have put something first.
      deepEqual([...Deno.readDirSync(options.env.TMPDIR)], []);
    });
  },
);

ofBinary(
  "found on PATH through a symbolic link it is agentctl, and beside it nothing is looked for",
  async () => {
    await inPlace(async (place) => {
      const program = copied(place, "lib/agentd-0.1");
      Deno.mkdirSync(`${place.dir}/bin`);
      Deno.symlinkSync("../lib/agentd-0.1", `${place.dir}/bin/agentctl`);
      const served = await place.serve(["serve", "--home", "data", ...ANY], { program });
      // No other program is on PATH, an engine for containers neither.
      const options = {
        program: "/bin/sh",
        cwd: `${place.dir}/bin`,
        env: { PATH: `${place.dir}/bin`, AGENTD_HOME: "../data" },
      };
      match(await said(["-c", "agentctl create bob echo"], options), /^bob created /);
      match(await said(["-c", "agentctl list"], options), /^bob /m);
      const { code, err } = await run(["-c", "agentctl serve"], options);
      equal(code, 2);
      match(err, /Unknown command serve/);
      const { err: notes } = await served.stop();
      match(notes, /^stopping; [^\n]*\n$/);
    });
  },
);

/** Whoever this is, without the rights of root: root may write anywhere. */
const AS_USER = Deno.build.os === "linux" && Deno.uid() === 0
  ? ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups", "--no-new-privs"]
  : ["env"];

/** The program as a user who is not root. */
function asUser(place: Place, program: string, options: Partial<Options> = {}) {
  const words = (args: readonly string[]) => [...AS_USER.slice(1), program, ...args];
  const how = { cwd: place.dir, env: {}, ...options, program: `/usr/bin/${AS_USER[0]}` };
  return {
    run: (...args: string[]): Promise<Ended> => run(words(args), how),
    serve: (...args: string[]) => place.serve(words(args), how),
  };
}

/** One line that names the path and says what to do. */
function refuses({ code, out, err }: Ended, line: RegExp): void {
  deepEqual([code, out], [1, ""], err);
  match(err, line);
  equal(err.trimEnd().split("\n").length, 1, err);
}

ofBinary(
  "in a folder that cannot be written it is a client, or a server of another folder",
  async () => {
    await inPlace(async (place) => {
      const program = copied(place, "bin/agentd");
      const [closed, data] = [`${place.dir}/closed`, `${place.dir}/data`];
      Deno.mkdirSync(closed);
      Deno.mkdirSync(data);
      Deno.chmodSync(data, 0o777);
      Deno.chmodSync(closed, 0o555);
      const user = asUser(place, program, { cwd: closed });
      refuses(
        await user.run("dev", ...ANY),
        /^error: Cannot create .*\.agentd.*: .*this user may not write here: .+/,
      );
      refuses(
        await user.run("serve", "--home", closed, ...ANY),
        /^error: Cannot open .*closed.*: .*this user may not write here: .+/,
      );
      // Without a home and without a word about the data directory there is none.
      const unsaid = await user.run("serve");
      deepEqual([unsaid.code, unsaid.out], [2, ""]);
      match(unsaid.err, /^error: .* Say --home DIR, or set AGENTD_HOME\.$/m);
      deepEqual([...Deno.readDirSync(closed)], []);

      const home = `${data}/own`;
      const served = await user.serve("serve", "--home", home, ...ANY);
      match((await user.run("create", "bob", "echo", "--home", home)).out, /^bob created /);
      equal((await user.run("send", "bob", "hi", "--wait", "--home", home)).out, "hi\n");
      equal((await served.stop()).code, 0);
    });
  },
);

ofBinary("data that can be read and not written is not served, and stays as it is", async () => {
  await inPlace(async (place) => {
    const program = copied(place, "bin/agentd");
    const data = `${place.dir}/data`;
    await (await place.serve(["dev", "--home", "data", ...ANY], { program })).stop();
    const names = [...Deno.readDirSync(data)].map(({ name }) => name).sort();
    for (const name of names) Deno.chmodSync(`${data}/${name}`, 0o444);
    Deno.chmodSync(data, 0o555);
    refuses(
      await asUser(place, program).run("serve", "--home", "data", ...ANY),
      /^error: Cannot open .*data.*: .*this user may not write here: .+/,
    );
    deepEqual([...Deno.readDirSync(data)].map(({ name }) => name).sort(), names);
    Deno.chmodSync(data, 0o755);
  });
});

const root = needs(
  !BINARY
    ? "AGENTD_BIN names no binary"
    : AS_USER[0] === "env"
    ? "only root can be another user"
    : undefined,
  false,
);

root("another user is no operator of mine, and has a server of their own", async () => {
  await inPlace(async (place) => {
    const program = copied(place, "bin/agentd");
    const mine = await place.serve(["dev", ...ANY], { program });
    const other = asUser(place, program, { env: { AGENTD_URL: mine.url } });
    match((await other.run("list")).out, /^abc /m);
    const refused = await other.run("delete", "abc");
    equal(refused.code, 4);
    refuses(
      await asUser(place, program).run("list", "--home", `${place.dir}/.agentd`),
      /^error: Cannot read .*: this user may not\. /,
    );

    const home = `${place.dir}/nobody`;
    Deno.mkdirSync(home);
    Deno.chownSync(home, Number(NOBODY), Number(NOBODY));
    const theirs = asUser(place, program, { cwd: "/", env: { HOME: home } });
    const served = await theirs.serve("serve", ...ANY);
    const token = Deno.readTextFileSync(`${home}/.local/share/agentd/token`).trim();
    const created = await fetch(`${served.url}/agents`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify({ id: "up", agent: { code: UP } }),
    });
    equal(created.status, 201, await created.text());
    equal((await theirs.run("send", "up", "hi", "--wait")).out, "HI\n");
    equal(Deno.statSync(`${home}/.local/share/agentd`).mode! & 0o777, 0o700);
    equal((await served.stop()).code, 0);
    equal((await mine.stop()).code, 0);
  });
});
