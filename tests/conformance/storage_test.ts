import assert from "../assert.ts";
import { tryLaw } from "../../conformance/law.ts";
import { storageLaws } from "../../conformance/storage.ts";
import { must, trials } from "../../conformance/trial.ts";
import { brokenStorages } from "./broken_storages.ts";
import { memorySubject, storageSubjects } from "./storage_subjects.ts";

for (const trial of trials(storageLaws, storageSubjects)) Deno.test(trial.name, () => must(trial));

for (const { law: id, name, spoil } of brokenStorages) {
  Deno.test(`${id} notices a storage that ${name}`, async () => {
    const law = storageLaws.find((law) => law.id === id);
    assert.ok(law, `there is a law ${id}`);
    const { fault } = await tryLaw(law, memorySubject(name, spoil));
    assert.notEqual(fault, undefined);
    // Noticed by what it promises, not by an accident of the broken storage.
    assert.doesNotMatch(fault!, /is not a function|undefined \(reading|not iterable/);
  });
}

Deno.test("every law of storage is broken by a storage made for it", () => {
  const broken = new Set(brokenStorages.map(({ law }) => law));
  assert.deepEqual(storageLaws.map(({ id }) => id).filter((id) => !broken.has(id)), []);
});

Deno.test("laws of storage are numbered in their order, and each has a name of its own", () => {
  assert.deepEqual(storageLaws.map(({ id }) => id), storageLaws.map((_, n) => `S${n + 1}`));
  assert.equal(new Set(storageLaws.map(({ name }) => name)).size, storageLaws.length);
});
