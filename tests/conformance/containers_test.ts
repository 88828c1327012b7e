/** The laws of `/containers` on who keeps them, and on who is broken on purpose: every law is shown to bite. */
import { containerLaws } from "../../conformance/containers.ts";
import { memoryContainers } from "../../conformance/memory.ts";
import { must, trials } from "../../conformance/trial.ts";
import assert from "../assert.ts";
import { brokenContainers } from "./broken/containers.ts";
import { tripped } from "./broken/tripped.ts";
import { containerSubjects, dockerContainers } from "./container_subjects.ts";
import { testWithDocker } from "../docker/engine.ts";

for (const trial of trials(containerLaws, containerSubjects)) {
  Deno.test(trial.name, () => must(trial));
}
for (const trial of trials(containerLaws, [dockerContainers])) {
  testWithDocker(trial.name, () => must(trial));
}

Deno.test("laws of containers are numbered in their order, and each has a name of its own", () => {
  assert.deepEqual(containerLaws.map(({ id }) => id), containerLaws.map((_, i) => `X${i + 1}`));
  assert.equal(new Set(containerLaws.map(({ name }) => name)).size, containerLaws.length);
});

for (const [name, ids, spoil, spoilEngine] of brokenContainers) {
  Deno.test(`/containers that ${name} breaks ${ids}`, async () => {
    const subject = memoryContainers(name, spoil(), spoilEngine);
    assert.equal(await tripped(containerLaws, subject), ids);
  });
}

Deno.test("every law of containers is broken by somebody", () => {
  const broken = new Set(brokenContainers.flatMap(([, ids]) => ids.split(" ")));
  assert.deepEqual(containerLaws.map(({ id }) => id).filter((id) => !broken.has(id)), []);
});
