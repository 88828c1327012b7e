import assert from "../assert.ts";
import { APPEND, LIMIT, OPEN, paramIn, STATE, WAIT, WATCH } from "../../src/http/params.ts";
import { queryOf } from "../../src/http/target.ts";

Deno.test("numbers in a query are exact, or refused by name", () => {
  const limit = (text: string) => paramIn(queryOf(text), LIMIT);
  assert.equal(limit("limit=12"), 12);
  assert.equal(limit("after=12"), undefined);
  assert.equal(paramIn(undefined, LIMIT), undefined);
  for (const text of ["-1", "1e3", "", "99999999999999999999", "0x1", " 1", "1.5"]) {
    assert.throws(() => limit(`limit=${text}`), /limit is an integer from 0, not/, text);
  }
});

Deno.test("flags are bare, 1, 0, true or false", () => {
  const watch = (text: string) => paramIn(queryOf(text), WATCH);
  assert.deepEqual(["watch", "watch=1", "watch=true", "watch=0", "watch=false", "x"].map(watch), [
    true,
    true,
    true,
    false,
    false,
    undefined,
  ]);
  assert.throws(() => watch("watch=no"), /watch is 1 or 0, not "no"/);
  assert.throws(() => paramIn(queryOf("append=constructor"), APPEND), /append is 1 or 0/);
});

Deno.test("words are of a list, seconds may have a fraction", () => {
  assert.equal(paramIn(queryOf("state=failed"), STATE), "failed");
  assert.throws(
    () => paramIn(queryOf("state=x"), STATE),
    /state is creating, active, dormant, paused, failed or terminated, not "x"/,
  );
  assert.throws(() => paramIn(queryOf("open=read"), OPEN), /open is write, append or call/);
  assert.equal(paramIn(queryOf("wait=1.5"), WAIT), 1.5);
  for (const text of ["-1", "1e9", "", "soon", "NaN", "Infinity"]) {
    assert.throws(() => paramIn(queryOf(`wait=${text}`), WAIT), /wait is a number of seconds/);
  }
});
