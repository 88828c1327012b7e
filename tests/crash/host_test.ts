/** Crash points: a host of agents that dies at a message, and a runtime that dies while it recovers from a death, come to the end that a run without a death has. */
import assert from "../assert.ts";
import { mortalHost, mortalOn } from "./mortal.ts";
import { hostPoints, secondPoints } from "./points.ts";
import { WORKLOADS } from "./workloads.ts";

/** Every so manyth message. */
const HOST = 4;
/** Every so manyth touch of the first life and of the second. */
const TWICE = { first: 61, second: 29 };

for (const make of WORKLOADS) {
  const { name } = make();
  Deno.test(`"${name}" survives a host that dies at its messages`, async () => {
    const tried = await hostPoints(make, mortalHost, { stride: HOST });
    assert.ok(tried > 0, "there was something to die at");
    console.log(`${tried} messages of "${name}" at which its host died`);
  });
  Deno.test(`"${name}" survives a runtime that dies while it recovers`, async () => {
    const tried = await secondPoints(make, mortalOn("memory"), TWICE);
    assert.ok(tried > 0, "there was something to die at");
    console.log(`${tried} second crash points of "${name}"`);
  });
}
