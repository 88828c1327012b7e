/** The wall behind our own checks: what Deno refuses to a worker of a directory, and to a program that mounts more than it may. */
import { localDirectories, permissionsOf } from "../../../src/providers/directory/provider.ts";
import type { DirectoryMount } from "../../../src/core/provider.ts";
import { deepEqual, equal, match, ok, rejects } from "../../assert.ts";
import { inYard, outsideOf, SECRET, UNTOUCHED, type Yard } from "./yard.ts";

async function answersIn(
  { inside, outside }: Yard,
  access: DirectoryMount["access"],
): Promise<Record<string, string>> {
  await Deno.writeTextFile(`${inside}/f`, "inner");
  const worker = new Worker(new URL("./prisoner.ts", import.meta.url), {
    type: "module",
    deno: { permissions: permissionsOf({ path: inside, access }) },
  });
  try {
    return await new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = (event) => {
        event.preventDefault();
        reject(new Error(event.message));
      };
      worker.postMessage({ inside, outside });
    });
  } finally {
    worker.terminate();
  }
}

inYard("a worker's permissions are its directory: Deno itself refuses all else", async (yard) => {
  const { "read inside": reads, "write inside": writes, ...rest } = await answersIn(
    yard,
    "read_write",
  );
  deepEqual([reads, writes], ["done", "done"]);
  for (const [name, answer] of Object.entries(rest)) equal(answer, "NotCapable", name);
  ok(Object.keys(rest).length > 15);
  deepEqual(await outsideOf(yard), UNTOUCHED);
});

inYard("a worker of what is only read cannot write there either", async (yard) => {
  const { "read inside": reads, ...rest } = await answersIn(yard, "read_only");
  equal(reads, "done");
  for (const [name, answer] of Object.entries(rest)) equal(answer, "NotCapable", name);
});

/** What a program of these permissions says of each mount. */
async function scoped(
  permissions: readonly string[],
  ...mounts: string[]
): Promise<Record<string, string>[]> {
  const config = new URL("../../../deno.json", import.meta.url).pathname;
  const script = new URL("./scoped.ts", import.meta.url).pathname;
  const { stdout, stderr, success } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--config", config, ...permissions, script, ...mounts],
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  ok(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout).trim().split("\n").map((line) => JSON.parse(line));
}

inYard(
  "a program mounts what it may use itself, and says which flag it would need",
  async (yard) => {
    const { inside, outside } = yard;
    const src = new URL("../../../src", import.meta.url).pathname;
    await Deno.writeTextFile(`${inside}/f`, "inner");
    await Deno.mkdir(`${inside}/part`);
    await Deno.writeTextFile(`${inside}/part/f`, "part");
    await Deno.symlink(outside, `${inside}/way_out`);
    const [whole, part, other, link, write, no] = await scoped(
      [`--allow-read=${inside},${src}`],
      `${inside}=read_only`,
      `${inside}/part/../part=read_only`,
      `${outside}=read_only`,
      `${inside}/way_out=read_only`,
      `${inside}=read_write`,
      `${inside}/nothing=read_only`,
    );
    deepEqual(whole, { path: inside, text: "inner" });
    deepEqual(part, { path: `${inside}/part`, text: "part" });
    for (const refused of [other!, link!]) {
      equal(refused.code, "permission_denied");
      match(refused.detail!, new RegExp(`--allow-read=${outside}$`));
    }
    equal(write!.code, "permission_denied");
    match(write!.detail!, new RegExp(`with --allow-write=${inside}$`));
    equal(no!.code, "not_found");
  },
);

inYard("outside of a binary the worker's own modules have to be readable", async ({ inside }) => {
  await Deno.writeTextFile(`${inside}/f`, "inner");
  const [refused] = await scoped([`--allow-read=${inside}`], `${inside}=read_only`);
  equal(refused!.code, "permission_denied");
  match(refused!.detail!, /--allow-read=\S*\/src$/);
});

inYard("the path of a mount is real, absolute and a directory's", async ({ inside, outside }) => {
  const provider = localDirectories();
  const check = (path: string, access: DirectoryMount["access"] = "read_only") =>
    provider.check({ type: "dir", path, access });
  await Deno.symlink("inside", `${inside}/../link`);
  equal((await check(`${inside}/../link`)).path, inside);
  equal((await check(`/proc/self/root${inside}/`)).path, inside);
  await rejects(check("inside"), { code: "invalid_request" });
  await rejects(check(""), { code: "invalid_request" });
  await rejects(check("inside", "disabled"), { code: "invalid_request" });
  await rejects(check(`${outside}/f`), { code: "not_directory" });
  await rejects(check(`${outside}/nothing`), { code: "not_found" });
  await rejects(provider.check({ type: "dir", path: inside, access: "read_only", hidden: [""] }), {
    code: "invalid_request",
  });
  await Deno.remove(`${inside}/../link`);
});

inYard(
  "a mount that is a link is what it led to, whatever it leads to later",
  async ({ inside, outside }) => {
    const provider = localDirectories();
    const link = `${inside}/../link`;
    await Deno.writeTextFile(`${inside}/f`, "inner");
    await Deno.symlink(inside, link);
    const mount = await provider.check({ type: "dir", path: link, access: "read_only" });
    await Deno.remove(link);
    await Deno.symlink(outside, link);
    const directory = provider.open(mount);
    equal((await directory.files.stat("/f")).size, "inner".length);
    await directory.close();
    await Deno.remove(link);
    // The path of the mount has become a link: that is not what was mounted.
    await Deno.rename(inside, `${inside}.moved`);
    await Deno.symlink(outside, inside);
    const again = provider.open(mount);
    await rejects(again.files.stat("/f"), { code: "not_directory" });
    await again.close();
    await Deno.remove(inside);
    await Deno.rename(`${inside}.moved`, inside);
    ok(SECRET.length > 0);
  },
);

inYard(
  "the program's own data is not mounted, nor what holds it or lies in it",
  async ({ inside, outside }) => {
    await Deno.mkdir(`${inside}/home/keys`, { recursive: true });
    await Deno.symlink(`${inside}/home`, `${outside}/home`);
    const provider = localDirectories({ never: [`${outside}/home`] });
    for (const path of [`${inside}/home`, inside, `${inside}/home/keys`, `${outside}/home`, "/"]) {
      await rejects(provider.check({ type: "dir", path, access: "read_only" }), {
        code: "permission_denied",
        message: /own data/,
      }, path);
    }
    await provider.check({ type: "dir", path: `${outside}/sub`, access: "read_only" });
    await Deno.remove(`${outside}/home`);
  },
);
