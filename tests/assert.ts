/** The assertions of the tests: the one importer of the assertion library. */
export {
  AssertionError,
  deepEqual,
  default,
  doesNotMatch,
  doesNotReject,
  doesNotThrow,
  equal,
  fail,
  match,
  notDeepEqual,
  notEqual,
  ok,
  partialDeepStrictEqual,
  rejects,
  throws,
} from "node:assert/strict";
