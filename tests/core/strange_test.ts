/** JSON of strangers is JSON, or refused; never a stack that is used up. */
import fc from "fast-check";
import { parseEnvelope } from "../../src/core/envelope.ts";
import { MAX_JSON_DEPTH, parseJson } from "../../src/core/strange.ts";
import { deepEqual, equal, throws } from "../assert.ts";

const nested = (depth: number, open = "[", close = "]") => open.repeat(depth) + close.repeat(depth);

Deno.test("strange JSON: what is not too deep is read as JSON.parse reads it", () => {
  fc.assert(fc.property(fc.json({ maxDepth: 20 }), (text) => {
    deepEqual(parseJson(text), JSON.parse(text));
  }));
  const long = JSON.stringify(["]}".repeat(400), '\\"[{'.repeat(400), {}]);
  deepEqual(parseJson(long), JSON.parse(long));
  throws(() => parseJson("{"), SyntaxError);
});

Deno.test("strange JSON: as deep as the limit is taken by whoever reads it, deeper is refused", () => {
  const deep = parseJson(nested(MAX_JSON_DEPTH));
  equal(JSON.stringify(parseEnvelope({ payload: deep }).payload).length > MAX_JSON_DEPTH, true);
  throws(() => parseJson(nested(MAX_JSON_DEPTH + 1)), /more than 256 levels/);
  throws(() => parseJson(nested(100_000, '{"a":', "}")), /more than 256 levels/);
  throws(() => parseJson("[".repeat(10_000_000)), SyntaxError);
  deepEqual(parseJson(nested(3), 3), [[[]]]);
});
