/** The laws of ticks on who keeps them, and on who is broken on purpose: every law is shown to bite. */
import { tickLaws } from "../../conformance/ticks.ts";
import { tryLaw } from "../../conformance/law.ts";
import { must, trials } from "../../conformance/trial.ts";
import assert from "../assert.ts";
import { brokenCode } from "./broken/tick_code.ts";
import { brokenDoors } from "./broken/tick_doors.ts";
import { brokenMoney } from "./broken/tick_money.ts";
import { brokenRows } from "./broken/tick_rows.ts";
import { spoiltTicks } from "./broken/tick_spoil.ts";
import { tickSubjects } from "./tick_subjects.ts";

for (const trial of trials(tickLaws, tickSubjects)) Deno.test(trial.name, () => must(trial));

const broken = [...brokenRows, ...brokenCode, ...brokenDoors, ...brokenMoney];

/** One of them is kept by who breaks others: what is broken is one thing, and not everything. */
const SOUND = ["T2", "T46", "T16", "T34"];
/** What an accident says, and no promise. */
const ACCIDENT = /is not a function|undefined \(reading|not iterable|Cannot set properties/;

for (const [name, ids, spoil] of broken) {
  Deno.test(`a runtime that ${name} breaks ${ids}`, async () => {
    const faultOf = async (id: string) => {
      const law = tickLaws.find((law) => law.id === id);
      assert.ok(law, `there is a law ${id}`);
      return (await tryLaw(law, spoiltTicks(name, spoil()))).fault;
    };
    for (const id of ids.split(" ")) {
      const fault = await faultOf(id);
      assert.notEqual(fault, undefined, `${id} is broken`);
      assert.doesNotMatch(fault!, ACCIDENT, id);
    }
    for (const id of SOUND) if (await faultOf(id) === undefined) return;
    assert.fail("it keeps none of the simple laws: what it does is no fault, but a ruin");
  });
}

Deno.test("every law of ticks is broken by somebody", () => {
  const tripped = new Set(broken.flatMap(([, ids]) => ids.split(" ")));
  assert.deepEqual(tickLaws.map(({ id }) => id).filter((id) => !tripped.has(id)), []);
});

Deno.test("laws of ticks are numbered in their order, and each has a name of its own", () => {
  assert.deepEqual(tickLaws.map(({ id }) => id), tickLaws.map((_, i) => `T${i + 1}`));
  assert.equal(new Set(tickLaws.map(({ name }) => name)).size, tickLaws.length);
});
