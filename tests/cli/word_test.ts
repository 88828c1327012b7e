/** The word behind a verb: one of those that there are, `list` where none is said, and else a hint. */
import { equal, throws } from "../assert.ts";
import type { Call } from "../../src/cli/call.ts";
import { wordIn } from "../../src/cli/word.ts";

const WORDS = { create: 1, list: 2, revoke: 3 };
const of = (word?: string) =>
  wordIn(
    { given: { args: word === undefined ? {} : { word }, options: {} } } as Call,
    "token",
    WORDS,
  );

Deno.test("a word stands for what it names, none for the list", () => {
  equal(of("revoke"), 3);
  equal(of(), 2);
});

Deno.test("another word is refused with the one that was meant, or with all there are", () => {
  throws(() => of("crate"), { message: 'token knows no "crate"', hint: "Did you mean create?" });
  const hint = "It knows create, list, revoke.";
  for (const word of ["frobnicate", "constructor", "__proto__"]) {
    throws(() => of(word), { message: `token knows no ${JSON.stringify(word)}`, hint });
  }
});
