/** The laws of `/compute` on who keeps them, and on who is broken on purpose: every law is shown to bite. */
import { computeLaws } from "../../conformance/compute.ts";
import { memoryCompute } from "../../conformance/memory.ts";
import { must, trials } from "../../conformance/trial.ts";
import assert from "../assert.ts";
import { brokenCompute } from "./broken/compute.ts";
import { tripped } from "./broken/tripped.ts";
import { computeSubjects } from "./compute_subjects.ts";

for (const trial of trials(computeLaws, computeSubjects)) Deno.test(trial.name, () => must(trial));

Deno.test("laws of compute are numbered in their order, and each has a name of its own", () => {
  assert.deepEqual(computeLaws.map(({ id }) => id), computeLaws.map((_, i) => `C${i + 1}`));
  assert.equal(new Set(computeLaws.map(({ name }) => name)).size, computeLaws.length);
});

for (const [name, ids, spoil] of brokenCompute) {
  Deno.test(`a /compute that ${name} breaks ${ids}`, async () => {
    assert.equal(await tripped(computeLaws, memoryCompute(name, spoil())), ids);
  });
}

Deno.test("every law of compute is broken by somebody", () => {
  const broken = new Set(brokenCompute.flatMap(([, ids]) => ids.split(" ")));
  assert.deepEqual(computeLaws.map(({ id }) => id).filter((id) => !broken.has(id)), []);
});
