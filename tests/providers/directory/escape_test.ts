/** Every way out of a mounted directory that a name, a link or a special file could be. */
import type { FileService } from "../../../src/fs/file.ts";
import { codeOf } from "../../../src/fs/error.ts";
import { readText, walk, writeText } from "../../../src/fs/use.ts";
import { deepEqual, equal, match, ok, rejects } from "../../assert.ts";
import { needs } from "../../needs.ts";
import { host, inYard, namesIn, outsideOf, UNTOUCHED, withYard, type Yard } from "./yard.ts";

/** Every verb that could get something from, or do something to, what stands at `path`. */
function attempts(files: FileService, path: string): [string, () => Promise<unknown>][] {
  return [
    ["stat", () => files.stat(path)],
    ["list", () => files.list(path)],
    ["read", () => readText(files, path)],
    ["watch", () => files.open(path, "watch")],
    ["write", () => writeText(files, path, "written")],
    ["write a part", () => writeText(files, path, "written", { offset: 0 })],
    ["append", async () => {
      const handle = await files.open(path, "append");
      await handle.write(new TextEncoder().encode("appended"));
      await handle.close();
    }],
    ["remove", () => files.remove(path)],
  ];
}

async function isOutOfReach(yard: Yard, path: string, codes = ["not_found"]): Promise<void> {
  for (const [verb, run] of attempts(yard.files, path)) {
    const error = await run().then(() => undefined, (error) => error);
    ok(error, `${verb} of ${JSON.stringify(path)} was answered`);
    ok(codes.includes(codeOf(error)), `${verb} of ${JSON.stringify(path)}: ${error}`);
    ok(!`${error.message} ${JSON.stringify(error.extra)}`.includes(yard.outside), "a host path");
    ok(!`${error.message} ${JSON.stringify(error.extra)}`.includes(yard.inside), "a host path");
  }
}

inYard("a link that leads out, anywhere or nowhere is not there, to no verb", async (yard) => {
  const { inside, outside, files } = yard;
  await Deno.writeTextFile(`${inside}/.env`, "hidden");
  await Deno.mkdir(`${inside}/dir`);
  const links: Record<string, string> = {
    absolute: `${outside}/f`,
    relative: "../outside/f",
    roundabout: "dir/../../outside/f",
    directory: outside,
    parent: "..",
    root: "/",
    dangling: "nothing",
    new_outside: `${outside}/new`,
    loop: "loop",
    chain: "chain2",
    chain2: "dir/chain3",
    "dir/chain3": `${outside}/f`,
    hidden: ".env",
    proc: "/proc/self/root/etc/hostname",
    cwd: "/proc/self/cwd",
    fd: "/dev/fd/0",
    zero: "/dev/zero",
    null: "/dev/null",
  };
  for (const [name, target] of Object.entries(links)) {
    await Deno.symlink(target, `${inside}/${name}`);
  }
  for (const name of Object.keys(links)) {
    await isOutOfReach(yard, `/${name}`);
    await isOutOfReach(yard, `/${name}/f`);
    await isOutOfReach(yard, `/${name}/etc/hostname`);
  }
  deepEqual(await namesIn(files, "/"), ["dir"]);
  deepEqual(await namesIn(files, "/dir"), []);
  deepEqual(await outsideOf(yard), UNTOUCHED);
  equal(await Deno.readTextFile(`${inside}/.env`), "hidden");
});

inYard("a link that stays within is what it leads to", async ({ inside, files }) => {
  await writeText(files, "/a/b/f", "text");
  await Deno.symlink("a/b/f", `${inside}/file`);
  await Deno.symlink(`${inside}/a`, `${inside}/dir`);
  await Deno.symlink("file", `${inside}/chain`);
  for (const path of ["/file", "/chain", "/dir/b/f"]) equal(await readText(files, path), "text");
  deepEqual(await namesIn(files, "/"), ["a", "chain", "dir", "file"]);
  await writeText(files, "/chain", "other");
  equal(await readText(files, "/a/b/f"), "other");
  ok((await Deno.lstat(`${inside}/chain`)).isSymlink);
  await files.remove("/chain");
  equal(await readText(files, "/file"), "other");
  await writeText(files, "/dir/b/new", "new");
  equal(await Deno.readTextFile(`${inside}/a/b/new`), "new");
});

inYard("links in a circle come to an end", async ({ inside, files }) => {
  await writeText(files, "/a/f", "x");
  await Deno.symlink("..", `${inside}/a/up`);
  await Deno.symlink(".", `${inside}/a/self`);
  const paths = (await Array.fromAsync(walk(files))).map(({ path }) => path);
  ok(paths.includes("/a/up/a/f"));
  ok(paths.length < 500, `${paths.length}`);
  equal(await readText(files, "/a/self/self/self/self/f"), "x");
  await rejects(files.stat("/a/self/self/self/self/self/f"), { code: "not_found" });
});

inYard("no spelling of .. leads up", async (yard) => {
  await Deno.mkdir(`${yard.inside}/a`);
  const spellings = [
    "/..",
    "/../outside/f",
    "/a/../../outside/f",
    "/a/../f",
    "/./f",
    "//outside/f",
    "/%2e%2e/outside/f",
    "/%2e%2e%2foutside%2ff",
    "/..%2foutside/f",
    "/..%252foutside%252ff",
    "/..\\outside\\f",
    "/a\\..\\..\\outside\\f",
    "/..;/outside/f",
    "/.../outside/f",
    "/. ./outside/f",
    "/.. /outside/f",
    "/..\u0000/outside/f",
    "/..\n/outside/f",
    "/\uff0e\uff0e/outside/f",
    "/\u2024\u2024/outside/f",
    "/\u2025/outside/f",
    "/..\u200b/outside/f",
    "/%c0%ae%c0%ae/outside/f",
    "/~/f",
    "/$HOME/f",
    "file:///etc/hostname",
    "/file:///etc/hostname",
    "/\ud800../f",
    yard.outside + "/f",
  ];
  for (const path of spellings) {
    for (const [verb, run] of attempts(yard.files, path)) {
      if (verb.startsWith("write") || verb === "append") continue;
      const code = codeOf(await run().then(() => undefined, (error) => error));
      ok(["not_found", "invalid_path"].includes(code), `${verb} ${JSON.stringify(path)}: ${code}`);
    }
    // A strange name may be a new file: below the mounted directory, and nowhere else.
    await writeText(yard.files, path, "strange").catch(() => {});
  }
  deepEqual(await outsideOf(yard), UNTOUCHED);
  const top = yard.inside.slice(0, -"/inside".length);
  deepEqual((await Array.fromAsync(Deno.readDir(top))).map((e) => e.name).sort(), [
    "inside",
    "outside",
  ]);
});

inYard("a fifo and a socket are not there, and nobody waits for their other end", async (yard) => {
  await host("mkfifo", `${yard.inside}/fifo`);
  const listener = Deno.listen({ transport: "unix", path: `${yard.inside}/socket` });
  for (const name of ["fifo", "socket"]) {
    await isOutOfReach(yard, `/${name}`);
    await isOutOfReach(yard, `/${name}/below`, ["not_found", "not_directory"]);
  }
  deepEqual(await namesIn(yard.files, "/"), []);
  ok((await Deno.lstat(`${yard.inside}/fifo`)).isFifo);
  listener.close();
});

const asRoot = needs(Deno.uid() === 0 ? undefined : "not the superuser");

asRoot("a device is not there", () =>
  withYard(async (yard) => {
    await host("mknod", `${yard.inside}/zero`, "c", "1", "5");
    await host("mknod", `${yard.inside}/disk`, "b", "7", "0");
    for (const name of ["zero", "disk"]) await isOutOfReach(yard, `/${name}`);
    deepEqual(await namesIn(yard.files, "/"), []);
    ok((await Deno.lstat(`${yard.inside}/zero`)).isCharDevice);
  }));

inYard("a second name of an outer file is read, but never the way for a change", async (yard) => {
  const { inside, outside, files } = yard;
  await Deno.link(`${outside}/f`, `${inside}/f`);
  await Deno.link(`${outside}/g`, `${inside}/g`);
  for (const options of [{ offset: 0 }, { offset: 3 }]) {
    await rejects(writeText(files, "/f", "x", options), {
      code: "conflict",
      message: /another name/,
    });
  }
  const appending = await files.open("/f", "append");
  await appending.write(new Uint8Array(9));
  await rejects(appending.close(), { code: "conflict" });
  await writeText(files, "/f", "of the agent");
  equal(await readText(files, "/f"), "of the agent");
  await files.remove("/g");
  deepEqual(await outsideOf(yard), UNTOUCHED);
});

inYard("hidden names are not there in any spelling, at any depth, by any way", async (yard) => {
  const { inside, files } = yard;
  const hidden = [
    ".env",
    ".env.local",
    ".ENV",
    ".Env.Production",
    ".env.",
    ".env ",
    "\uff0eenv",
    ".e\u200bnv",
    ".git/config",
    ".GIT/Config",
    ".git /config.",
    "server.pem",
    "Server.PEM",
    "key.pem. .",
    "id_rsa",
    "ID_ED25519",
    "credentials",
    "Credentials.json",
    "deep/er/.env",
    "deep/er/.git/config",
    ".env.d/inner",
  ];
  for (const name of hidden) {
    const at = `${inside}/${name}`;
    await Deno.mkdir(at.slice(0, at.lastIndexOf("/")), { recursive: true });
    await Deno.writeTextFile(at, "password");
  }
  for (const name of [".git/HEAD", ".git/config.lock", "env", "pem", "rsa_id_", "deep/configs"]) {
    await writeText(files, `/${name}`, "shown");
    equal(await readText(files, `/${name}`), "shown");
  }
  await Deno.symlink(".git", `${inside}/dotgit`);
  await Deno.symlink("deep/er/.env", `${inside}/innocent`);
  await Deno.symlink("env", `${inside}/.env.link`);
  for (const name of [...hidden, "dotgit/config", "innocent", ".env.link", ".env.new"]) {
    await isOutOfReach(yard, `/${name}`);
  }
  for (const name of hidden) equal(await Deno.readTextFile(`${inside}/${name}`), "password");
  const all = (await Array.fromAsync(walk(files))).map(({ path }) => path);
  for (const name of [...hidden, "dotgit/config", "innocent", ".env.link"]) {
    ok(!all.includes(`/${name}`), `/${name} is listed`);
  }
  ok(all.includes("/.git/HEAD") && all.includes("/dotgit/HEAD"));
});

inYard("what is hidden is what the mount says, and patterns are no regular expressions", async ({
  inside,
  mount,
}) => {
  for (const name of [".env", "a+b", "aab", "x.y", "xzy", "secrets", "notes"]) {
    await Deno.writeTextFile(`${inside}/${name}`, name);
  }
  deepEqual(await namesIn(mount({ hidden: [] }), "/"), [
    ".env",
    "a+b",
    "aab",
    "notes",
    "secrets",
    "x.y",
    "xzy",
  ]);
  const some = mount({ hidden: ["a+b", "x.y", "*cret*"] });
  deepEqual(await namesIn(some, "/"), [".env", "aab", "notes", "xzy"]);
  for (const hidden of [["a//b"], [".."], [""], ["a\nb"], Array(101).fill("x")]) {
    await rejects(mount({ hidden }).list("/"), { code: "invalid_request" });
  }
  const stars = mount({ hidden: ["*a".repeat(100)] });
  await rejects(stars.stat("/" + "a".repeat(99)), { code: "not_found" });
});

inYard("names are bytes: those that no path can say are counted, all others are used", async ({
  inside,
  files,
}) => {
  const names = [
    `it's "quoted"`,
    "50%",
    "%2e",
    "caf\u00e9",
    "cafe\u0301",
    "\ufffd",
    "-rf",
    "*",
    "a b",
    "x".repeat(255),
  ];
  for (const name of names) await Deno.writeTextFile(`${inside}/${name}`, name);
  for (const name of ["new\nline", "tab\there", "del\u007f"]) {
    await Deno.writeTextFile(`${inside}/${name}`, "unspeakable");
  }
  deepEqual((await namesIn(files, "/")).sort(), names.toSorted());
  for (const name of names) equal(await readText(files, `/${name}`), name);
  match((await files.stat("/")).about ?? "", /3 more whose names .* cannot be named/);
  await rejects(writeText(files, `/${"x".repeat(256)}`, ""), { code: "invalid_path" });
  const deep = "/" + "d".repeat(254);
  await rejects(writeText(files, deep.repeat(16), "too deep for the host"), {
    code: "invalid_path",
  });
});

inYard("a name that is not UTF-8 is counted as far as Deno tells it, and never listed", async ({
  inside,
  files,
}) => {
  await host("sh", "-c", `cd '${inside}' && : > "$(printf 'a\\377b')" && : > plain`);
  const told = (await Array.fromAsync(Deno.readDir(inside))).length;
  deepEqual(await namesIn(files, "/"), ["plain"]);
  const { about } = await files.stat("/");
  equal(/1 more whose names/.test(about!), told === 2, about);
});

inYard("the mounted directory itself is the one that was mounted, or nothing is", async (yard) => {
  const { inside, outside, files } = yard;
  await writeText(files, "/a/f", "inside");
  const reading = await files.open("/a/f", "read");
  await Deno.rename(inside, `${inside}.moved`);
  await Deno.symlink(outside, inside);
  for (const path of ["/", "/f", "/a/f", "/sub/f"]) {
    await isOutOfReach(yard, path, ["not_ready", "is_directory", "not_supported"]);
  }
  await Deno.remove(inside);
  await Deno.mkdir(inside);
  await rejects(writeText(files, "/f", "to another"), { code: "not_ready" });
  await Deno.remove(inside);
  await Deno.rename(`${inside}.moved`, inside);
  equal(new TextDecoder().decode(await reading.read()), "inside");
  await reading.close();
  equal(await readText(files, "/a/f"), "inside");
  deepEqual(await outsideOf(yard), UNTOUCHED);
});
