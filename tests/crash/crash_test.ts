/** Crash points: a runtime that dies at a touch of its storage comes to the end that a run without a death has. `deno task crash` tries all of them. */
import assert from "../assert.ts";
import { mortalOn } from "./mortal.ts";
import { storagePoints } from "./points.ts";
import { WORKLOADS } from "./workloads.ts";

/** Every so manyth point: some thousand in all, in ten to twenty seconds a file. */
const MEMORY = 2;
const SQLITE = 47;

let points = 0;
function counted(tried: number, what: string): void {
  assert.ok(tried > 0, "there was something to die at");
  points += tried;
  console.log(`${tried} crash points of ${what}; ${points} so far`);
}

for (const make of WORKLOADS) {
  const { name } = make();
  Deno.test(`"${name}" survives a runtime that dies at its storage`, async () => {
    counted(await storagePoints(make, mortalOn("memory"), { stride: MEMORY }), `"${name}"`);
  });
  Deno.test(`"${name}" survives a runtime that dies on SQLite`, async () => {
    const some = { from: 5, stride: SQLITE };
    counted(await storagePoints(make, mortalOn("sqlite"), some), `"${name}" on SQLite`);
  });
}
