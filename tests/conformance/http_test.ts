/** The laws of HTTP, and those of files, on those who keep them; and on those who are broken on purpose: every law is shown to bite. */
import { fileLawsFor } from "../../conformance/files.ts";
import { httpLaws, httpLawsFor } from "../../conformance/http.ts";
import { must, trials } from "../../conformance/trial.ts";
import assert from "../assert.ts";
import { brokenHttp } from "./broken/http.ts";
import { tripped } from "./broken/tripped.ts";
import { clientSubjects, httpSubjects, inProcess } from "./http_subjects.ts";

for (const [subject, features] of httpSubjects) {
  for (const trial of trials(httpLawsFor(features), [subject])) {
    Deno.test(trial.name, () => must(trial));
  }
}

for (const [subject, features] of clientSubjects) {
  for (const trial of trials(fileLawsFor(features), [subject])) {
    Deno.test(trial.name, () => must(trial));
  }
}

/** Encrypts keys under a passphrase, at a cost that is meant to be high: asked only of those who break it. */
const SLOW = "H39";

for (const [name, ids, spoil] of brokenHttp) {
  const laws = httpLaws.filter(({ id }) => id !== SLOW || ids.includes(SLOW));
  Deno.test(`a control plane that ${name} breaks ${ids}`, async () => {
    assert.equal(await tripped(laws, inProcess(name, spoil)), ids);
  });
}

Deno.test("every law of HTTP is broken by somebody", () => {
  const broken = new Set(brokenHttp.flatMap(([, ids]) => ids.split(" ")));
  assert.deepEqual(httpLaws.map(({ id }) => id).filter((id) => !broken.has(id)), []);
});

Deno.test("law ids of HTTP are numbered, and names are unique", () => {
  assert.deepEqual(httpLaws.map(({ id }) => id), httpLaws.map((_, i) => `H${i + 1}`));
  assert.equal(new Set(httpLaws.map(({ name }) => name)).size, httpLaws.length);
});
