/** The portable rooms type-check where there is no Deno. */
import assert from "../assert.ts";
import { closure } from "./floors.ts";
import { checkIn, filesOf, inTempDir } from "./portable.ts";
import { files, graph } from "./tree.ts";

const all = (await files()).filter((file) => file.endsWith(".ts"));
const house = await graph(all);
/** Laws that need a whole runtime import the wiring, and with it rooms of the web; for these the lint rule alone stands. */
const bare = filesOf("none", all).filter((file) => !closure(house, file).has("src/agentd.ts"));

async function refused(world: "none" | "web", source: string): Promise<string> {
  const ran = await inTempDir(async (dir) => {
    await Deno.writeTextFile(`${dir}/broken.ts`, source);
    return await checkIn(world, [`file://${dir}/broken.ts`]);
  });
  assert.equal(ran.ok, false, `${source} was taken in the world "${world}"`);
  return ran.stderr;
}

Deno.test("house: the check of the bare world bites", async () => {
  const said = await refused("none", "export const faults = [Deno, process, fetch, crypto, URL];");
  for (const name of ["Deno", "process", "fetch", "crypto"]) assert.match(said, new RegExp(name));
  assert.doesNotMatch(said, /name 'URL'/);
});

Deno.test("house: the check of the web's world bites", async () => {
  const said = await refused("web", "export const faults = [Deno, process, fetch];");
  for (const name of ["Deno", "process"]) assert.match(said, new RegExp(name));
  assert.doesNotMatch(said, /'fetch'/);
});

Deno.test("house: portable rooms type-check with the language and six names alone", async () => {
  for (const file of ["src/fs/file.ts", "src/core/tick.ts", "conformance/storage.ts"]) {
    assert.ok(bare.includes(file), file);
  }
  assert.ok(filesOf("none", all).every((f) => bare.includes(f) || f.startsWith("conformance/")));
  const ran = await checkIn("none", bare);
  assert.ok(ran.ok, `a portable room needs more of the world than it is given:\n${ran.stderr}`);
});

Deno.test("house: rooms of the web type-check where there is no Deno", async () => {
  const ran = await checkIn("web", [...filesOf("none", all), ...filesOf("web", all)]);
  assert.ok(ran.ok, `a room of the web names what only Deno or Node has:\n${ran.stderr}`);
});
