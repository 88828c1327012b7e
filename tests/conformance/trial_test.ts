import assert from "../assert.ts";
import type { Law, Subject } from "../../conformance/law.ts";
import { must, trials } from "../../conformance/trial.ts";

const LAWS: Law<number>[] = [
  {
    id: "X1",
    name: "is_even",
    says: "the number is even",
    test: (n) => n % 2 === 0 ? Promise.resolve() : Promise.reject(new Error(`${n} is odd`)),
  },
];

function number(name: string, n: number, closed: string[]): Subject<number> {
  const close = () => Promise.resolve(void closed.push(name));
  return { name, open: () => Promise.resolve({ subject: n, close }) };
}

Deno.test("a trial opens a subject, tries the law and closes it, broken or not", async () => {
  const closed: string[] = [];
  const all = trials(LAWS, [number("two", 2, closed), number("three", 3, closed)]);
  assert.deepEqual(all.map(({ name }) => name), ["test_is_even [two]", "test_is_even [three]"]);
  assert.equal((await all[0]!.run()).fault, undefined);
  assert.equal((await all[1]!.run()).fault, "3 is odd");
  assert.deepEqual(closed, ["two", "three"]);
});

Deno.test("a test of a broken law fails and says which, and why", async () => {
  const [two, three] = trials(LAWS, [number("two", 2, []), number("three", 3, [])]);
  await must(two!);
  await assert.rejects(must(three!), {
    message: 'three breaks X1 ("the number is even"): 3 is odd',
  });
});
