/** What is told to those who watch a directory: our own changes at once, others' as the host tells of them, hidden names and the outside never. */
import type { FileService } from "../../../src/fs/file.ts";
import { appendText, watch, writeText } from "../../../src/fs/use.ts";
import { deepEqual, equal, ok, rejects } from "../../assert.ts";
import { inYard } from "./yard.ts";

interface Event {
  readonly type: string;
  readonly name?: string;
}

/** Gives the next event, as `type name`. */
async function watched(files: FileService, path: string) {
  const abort = new AbortController();
  const events = await watch<Event>(files, path, { signal: abort.signal });
  const next = async () => {
    const { value } = await events.next();
    const event = value as Event;
    return event.name === undefined ? event.type : `${event.type} ${event.name}`;
  };
  return {
    next,
    /** Events up to this one, each once. */
    async until(last: string): Promise<string[]> {
      const seen: string[] = [];
      while (seen.at(-1) !== last) seen.push(await next());
      return [...new Set(seen)];
    },
    stop: () => abort.abort(),
  };
}

inYard(
  "what another program does is told by name, below every depth",
  async ({ inside, files }) => {
    await Deno.mkdir(`${inside}/a/b`, { recursive: true });
    await Deno.writeTextFile(`${inside}/a/b/old`, "1");
    const all = await watched(files, "/");
    const part = await watched(files, "/a/b");
    const one = await watched(files, "/a/b/old");
    await Deno.writeTextFile(`${inside}/a/b/old`, "22");
    equal(await all.next(), "modified a/b/old");
    equal(await part.next(), "modified old");
    equal(await one.next(), "modified");
    await Deno.writeTextFile(`${inside}/a/b/new`, "1");
    equal((await all.until("created a/b/new")).at(-1), "created a/b/new");
    equal((await part.until("created new")).at(-1), "created new");
    await Deno.remove(`${inside}/a/b/old`);
    await all.until("deleted a/b/old");
    await part.until("deleted old");
    await one.until("deleted");
    for (const { stop } of [all, part, one]) stop();
  },
);

inYard("a file that another program replaces is modified, whatever name it came from", async ({
  inside,
  files,
}) => {
  await writeText(files, "/f", "1");
  const all = await watched(files, "/");
  await Deno.writeTextFile(`${inside}/.f.swp`, "2");
  await Deno.rename(`${inside}/.f.swp`, `${inside}/f`);
  deepEqual((await all.until("modified f")).filter((event) => event.endsWith(" f")), [
    "modified f",
  ]);
  all.stop();
});

inYard("directories that come later are watched too, with what was put there first", async ({
  inside,
  files,
}) => {
  const all = await watched(files, "/");
  await Deno.mkdir(`${inside}/x/y/z`, { recursive: true });
  await Deno.writeTextFile(`${inside}/x/y/z/f`, "1");
  equal(await all.next(), "created x/y/z/f");
  await Deno.writeTextFile(`${inside}/x/y/z/g`, "1");
  equal((await all.until("created x/y/z/g")).at(-1), "created x/y/z/g");
  await Deno.remove(`${inside}/x`, { recursive: true });
  const gone = [await all.until("deleted x/y/z/f"), await all.until("deleted x/y/z/g")].flat();
  ok(gone.includes("deleted x/y/z/f"));
  await Deno.mkdir(`${inside}/x`);
  await Deno.writeTextFile(`${inside}/x/again`, "1");
  await all.until("created x/again");
  all.stop();
});

inYard(
  "a watched directory that goes and comes again is watched again",
  async ({ inside, files }) => {
    await writeText(files, "/a/f", "1");
    const part = await watched(files, "/a");
    await Deno.rename(`${inside}/a`, `${inside}/b`);
    equal(await part.next(), "deleted f");
    await Deno.rename(`${inside}/b`, `${inside}/a`);
    equal(await part.next(), "created f");
    await Deno.writeTextFile(`${inside}/a/f`, "22");
    equal(await part.next(), "modified f");
    part.stop();
  },
);

inYard("our own changes are told once", async ({ files }) => {
  const all = await watched(files, "/");
  await writeText(files, "/a/f", "1");
  await appendText(files, "/a/f", "2");
  await files.remove("/a/f");
  await writeText(files, "/last", "x");
  const seen: string[] = [];
  while (seen.at(-1) !== "created last") seen.push(await all.next());
  deepEqual(seen, ["created a/f", "modified a/f", "deleted a/f", "created last"]);
  all.stop();
});

inYard("hidden names, special files, links and the outside are never told", async ({
  inside,
  outside,
  files,
}) => {
  await Deno.symlink(outside, `${inside}/link`);
  await Deno.mkdir(`${inside}/.git`);
  const all = await watched(files, "/");
  await Deno.writeTextFile(`${inside}/.env`, "password");
  await Deno.writeTextFile(`${inside}/.git/config`, "password");
  await Deno.writeTextFile(`${inside}/key.pem`, "password");
  await Deno.writeTextFile(`${inside}/new\nline`, "x");
  await Deno.writeTextFile(`${outside}/f`, "changed outside");
  await Deno.writeTextFile(`${outside}/new`, "made outside");
  await Deno.symlink(outside, `${inside}/link2`);
  await Deno.symlink("/proc", `${inside}/proc`);
  await Deno.writeTextFile(`${outside}/f`, "again");
  await Deno.remove(`${inside}/.env`);
  await Deno.writeTextFile(`${inside}/.git/HEAD`, "shown");
  await Deno.writeTextFile(`${inside}/last`, "x");
  const seen = await all.until("created last");
  deepEqual(seen.filter((event) => !event.endsWith("HEAD")), ["created last"]);
  all.stop();
});

inYard("many changes at once are all told", async ({ inside, files }) => {
  const all = await watched(files, "/");
  const names = Array.from({ length: 500 }, (_, i) => `d${i % 20}/f${i}`);
  for (const name of names) {
    await Deno.mkdir(`${inside}/${name.split("/")[0]}`, { recursive: true });
    await Deno.writeTextFile(`${inside}/${name}`, name);
  }
  const missing = new Set(names);
  while (missing.size > 0) missing.delete((await all.next()).split(" ")[1]!);
  all.stop();
});

inYard("who leaves costs nothing any more", async ({ files }) => {
  for (let i = 0; i < 40; i++) {
    await writeText(files, `/d${i}/f`, "x");
    const one = await watched(files, `/d${i}`);
    await writeText(files, `/d${i}/f`, "y");
    equal(await one.next(), "modified f");
    one.stop();
  }
});

inYard(
  "only so many paths are watched at a time, each by as many as want to",
  async ({ files }) => {
    const all = [];
    for (let i = 0; i < 16; i++) {
      await writeText(files, `/d${i}/f`, "x");
      all.push(await watched(files, `/d${i}`), await watched(files, `/d${i}`));
    }
    await writeText(files, "/more/f", "x");
    await rejects(files.open("/more", "watch"), { code: "rate_limited" });
    for (const { stop } of all) stop();
    (await watched(files, "/more")).stop();
  },
);
