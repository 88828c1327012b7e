import assert from "../assert.ts";
import { tryLaw } from "../../conformance/law.ts";
import { storageLaws } from "../../conformance/storage.ts";
import { must, trials } from "../../conformance/trial.ts";
import { memoryStorage } from "../../conformance/memory.ts";
import { brokenBatches } from "./broken/storage_batches.ts";
import { brokenFinds } from "./broken/storage_finds.ts";
import { brokenGroups } from "./broken/storage_groups.ts";
import { brokenOwners } from "./broken/storage_owners.ts";
import { brokenRanges } from "./broken/storage_ranges.ts";
import type { BrokenStorage } from "./broken/storage_spoil.ts";
import { brokenValues } from "./broken/storage_values.ts";
import { storageSubjects } from "./storage_subjects.ts";

const brokenStorages = [
  ...brokenValues,
  ...brokenBatches,
  ...brokenRanges,
  ...brokenOwners,
  ...brokenFinds,
  ...brokenGroups,
];

/** Opened afresh; each opening of its rows after that is a restart. */
function subjectOf({ name, spoil }: BrokenStorage) {
  let opened = 0;
  return memoryStorage(name, (backend) => spoil(backend, opened++));
}

for (const trial of trials(storageLaws, storageSubjects)) Deno.test(trial.name, () => must(trial));

for (const broken of brokenStorages) {
  const { law: id, name } = broken;
  Deno.test(`${id} notices a storage that ${name}`, async () => {
    const law = storageLaws.find((law) => law.id === id);
    assert.ok(law, `there is a law ${id}`);
    const { fault } = await tryLaw(law, subjectOf(broken));
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
