import { equal } from "../assert.ts";
import { didYouMean, similar } from "../../src/cli/similar.ts";

const WORDS = ["listen", "require_token", "allow_host", "grace_ms"];

Deno.test("a word near a known one is taken for it", () => {
  equal(similar("listn", WORDS), "listen");
  equal(similar("lsiten", WORDS), "listen");
  equal(similar("allow_hots", WORDS), "allow_host");
  equal(didYouMean("gracems", WORDS), "Did you mean grace_ms?");
});

Deno.test("a word that is far from all is nobody", () => {
  equal(similar("port", WORDS), undefined);
  equal(similar("x", WORDS), undefined);
  equal(didYouMean("", WORDS), undefined);
});
