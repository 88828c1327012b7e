/** Files in memory beside a model of them: a map from path to text. */
import fc from "fast-check";
import assert from "../assert.ts";
import type { FileError } from "../../src/fs/error.ts";
import { type FileService, MATCH_ANY, MATCH_NONE } from "../../src/fs/file.ts";
import { memoryFiles } from "../../src/fs/memory.ts";
import { appendText, readText, walk, watch, writeText } from "../../src/fs/use.ts";

const path = fc.array(fc.constantFrom("a", "b", "__proto__"), { minLength: 1, maxLength: 3 })
  .map((names) => "/" + names.join("/"));
const act = fc.record({
  verb: fc.constantFrom("write", "append", "part", "remove"),
  path,
  text: fc.string({ maxLength: 5 }),
  offset: fc.nat(8),
  match: fc.constantFrom(undefined, undefined, MATCH_NONE, MATCH_ANY),
});
type Act = typeof act extends fc.Arbitrary<infer T> ? T : never;
type Model = Map<string, string>;

const isDir = (model: Model, path: string) =>
  [...model.keys()].some((key) => key.startsWith(`${path}/`));
const isBelowFile = (model: Model, path: string) =>
  [...model.keys()].some((key) => path.startsWith(`${key}/`));

/** What must come of it: the code, or `done` and the model changed. ASCII only, so that bytes are letters. */
function expected(model: Model, { verb, path, text, offset, match }: Act): string {
  if (isBelowFile(model, path)) return "not_directory";
  const old = model.get(path);
  if (isDir(model, path)) {
    return verb === "remove" ? matched(true, match) ?? "conflict" : "is_directory";
  }
  if (verb === "remove" && old === undefined) return "not_found";
  const refused = matched(old !== undefined, match);
  if (refused) return refused;
  if (verb === "remove") model.delete(path);
  else if (verb === "write") model.set(path, text);
  else if (verb === "append") model.set(path, (old ?? "") + text);
  else if (offset > (old ?? "").length) return "range_not_satisfiable";
  else {model.set(
      path,
      (old ?? "").slice(0, offset) + text + (old ?? "").slice(offset + text.length),
    );}
  return "done";
}

function matched(exists: boolean, match: string | undefined): string | undefined {
  if (match === undefined || (match === MATCH_ANY) === exists) return undefined;
  return "precondition_failed";
}

async function perform(files: FileService, act: Act): Promise<string> {
  const { verb, path, text, offset, match } = act;
  const options = match === undefined ? {} : { match };
  try {
    if (verb === "remove") await files.remove(path, options);
    else if (verb === "append") await appendText(files, path, text, options);
    else await writeText(files, path, text, verb === "part" ? { offset, ...options } : options);
    return "done";
  } catch (error) {
    return (error as FileError).code;
  }
}

async function contents(files: FileService): Promise<Model> {
  const found: Model = new Map();
  for await (const { path, entry } of walk(files)) {
    if (!entry.dir) found.set(path, await readText(files, path));
    else assert.notDeepEqual(await files.list(path), [], "no directory is empty");
  }
  return found;
}

Deno.test("files in memory do what the model does", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(act, { maxLength: 30 }), async (acts) => {
      const files = memoryFiles({ now: () => 0 });
      const model: Model = new Map();
      for (const act of acts) {
        assert.equal(await perform(files, act), expected(model, act), JSON.stringify(act));
      }
      const sorted = (map: Model) => [...map].sort(([a], [b]) => a < b ? -1 : 1);
      assert.deepEqual(sorted(await contents(files)), sorted(model));
    }),
    { numRuns: 200 },
  );
});

Deno.test("a directory that becomes a file, or a file a directory, between open and close", async () => {
  const files = memoryFiles({ now: () => 0 });
  const late = await files.open("/a/b", "write");
  await writeText(files, "/a", "a file now");
  await assert.rejects(late.close(), { code: "not_directory", path: "/a/b" });
  const other = await files.open("/x", "write");
  await writeText(files, "/x/y", "x is a directory now");
  await assert.rejects(other.close(), { code: "is_directory", path: "/x" });
  assert.equal(await readText(files, "/a"), "a file now");
});

Deno.test("time comes from the clock that was given, the type from who writes", async () => {
  let now = 41;
  const files = memoryFiles({ now: () => ++now });
  await writeText(files, "/f", "x", { type: "text/plain" });
  const made = await files.stat("/f");
  assert.deepEqual([made.modified, made.type], [42, "text/plain"]);
  await appendText(files, "/f", "y");
  const changed = await files.stat("/f");
  assert.deepEqual([changed.modified, changed.type, changed.size], [43, "text/plain", 2]);
});

Deno.test("the root's watcher hears of everything below, by its path from there", async () => {
  const files = memoryFiles({ now: () => 0 });
  const events = await watch(files, "/");
  await writeText(files, "/a/b", "x");
  await files.remove("/a/b");
  const { value: made } = await events.next();
  const { value: gone } = await events.next();
  assert.deepEqual([made?.type, made?.name], ["created", "a/b"]);
  assert.deepEqual(gone, { type: "deleted", name: "a/b" });
  await events.return();
});
