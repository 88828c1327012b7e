/** The portable rooms type-check where there is no Deno. */
import assert from "../assert.ts";
import { checkIn, filesOf, inTempDir } from "./portable.ts";
import { files } from "./tree.ts";

const all = await files();

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
  const portable = filesOf("none", all);
  assert.ok(portable.includes("src/fs/file.ts") && portable.includes("conformance/law.ts"));
  const ran = await checkIn("none", portable);
  assert.ok(ran.ok, `a portable room needs more of the world than it is given:\n${ran.stderr}`);
});

Deno.test("house: rooms of the web type-check where there is no Deno", async () => {
  const ran = await checkIn("web", [...filesOf("none", all), ...filesOf("web", all)]);
  assert.ok(ran.ok, `a room of the web names what only Deno or Node has:\n${ran.stderr}`);
});
