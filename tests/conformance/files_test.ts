/** The laws of files on those who keep them, and on those who are broken on purpose: every law is shown to bite. */
import { fileLaws, fileLawsFor } from "../../conformance/files.ts";
import { must, trials } from "../../conformance/trial.ts";
import assert from "../assert.ts";
import { brokenActs } from "./broken/acts.ts";
import { brokenChanges } from "./broken/changes.ts";
import { brokenHandles } from "./broken/handles.ts";
import { brokenNames } from "./broken/names.ts";
import { tripped } from "./broken/tripped.ts";
import { acting, ACTS, fileSubjects, STORE, storing, subject } from "./file_subjects.ts";

for (const [subject, features] of fileSubjects) {
  for (const trial of trials(fileLawsFor(features), [subject])) {
    Deno.test(trial.name, () => must(trial));
  }
}

const stores = [...brokenNames, ...brokenChanges, ...brokenHandles];

for (const [name, ids, spoil] of stores) {
  Deno.test(`a store that ${name} breaks ${ids}`, async () => {
    const broken = subject(name, () => storing(spoil()));
    assert.equal(await tripped(fileLawsFor(STORE), broken), ids);
  });
}

for (const [name, ids, make] of brokenActs) {
  Deno.test(`a stream or call that ${name} breaks ${ids}`, async () => {
    assert.equal(await tripped(fileLawsFor(ACTS), subject(name, make)), ids);
  });
}

Deno.test("every law of files is broken by somebody", () => {
  const broken = new Set([...stores, ...brokenActs].flatMap(([, ids]) => ids.split(" ")));
  assert.deepEqual(fileLaws.map(({ id }) => id).filter((id) => !broken.has(id)), []);
});

Deno.test("law ids of files are numbered, names are unique, and who has nothing keeps the first seven", () => {
  assert.deepEqual(fileLaws.map(({ id }) => id), fileLaws.map((_, i) => `F${i + 1}`));
  assert.equal(new Set(fileLaws.map(({ name }) => name)).size, fileLaws.length);
  assert.deepEqual(fileLawsFor([]).map(({ id }) => id), ["F1", "F2", "F3", "F4", "F5", "F6", "F7"]);
});

Deno.test("a law that needs a place says so when the subject gives none", async () => {
  const bare = subject("bare", () => ({ files: acting().files }));
  const needy = fileLaws.filter(({ needs }) => needs.length > 0);
  assert.equal(await tripped(needy, bare), needy.map(({ id }) => id).join(" "));
});
