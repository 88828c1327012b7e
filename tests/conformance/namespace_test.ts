/** The laws of namespaces on the one there is, and on those that are broken on purpose. */
import type { Subject } from "../../conformance/law.ts";
import { namespaceLaws, type NamespaceSubject } from "../../conformance/namespace.ts";
import { must, trials } from "../../conformance/trial.ts";
import { namespace, subtree } from "../../src/fs/namespace.ts";
import assert from "../assert.ts";
import { brokenNamespaces } from "./broken/namespaces.ts";
import { tripped } from "./broken/tripped.ts";

function subjectOf(name: string, subject: NamespaceSubject): Subject<NamespaceSubject> {
  return { name, open: () => Promise.resolve({ subject, close: () => Promise.resolve() }) };
}

for (const trial of trials(namespaceLaws, [subjectOf("namespace", { namespace, subtree })])) {
  Deno.test(trial.name, () => must(trial));
}

for (const [name, ids, subject] of brokenNamespaces) {
  Deno.test(`a namespace that ${name} breaks ${ids}`, async () => {
    assert.equal(await tripped(namespaceLaws, subjectOf(name, subject)), ids);
  });
}

Deno.test("every law of namespaces is broken by somebody", () => {
  const broken = new Set(brokenNamespaces.flatMap(([, ids]) => ids.split(" ")));
  assert.deepEqual(namespaceLaws.map(({ id }) => id).filter((id) => !broken.has(id)), []);
  assert.deepEqual(namespaceLaws.map(({ id }) => id), namespaceLaws.map((_, i) => `M${i + 1}`));
});
