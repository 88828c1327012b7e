/** The assertions of the tests: the one importer of the assertion library. All compare strictly: Deno's `assert/strict` gives the loose ones under the short names. */
export {
  AssertionError,
  deepStrictEqual as deepEqual,
  default,
  doesNotMatch,
  doesNotReject,
  doesNotThrow,
  fail,
  match,
  notDeepStrictEqual as notDeepEqual,
  notStrictEqual as notEqual,
  ok,
  partialDeepStrictEqual,
  rejects,
  strictEqual as equal,
  throws,
} from "node:assert/strict";
