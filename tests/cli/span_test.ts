import { equal, throws } from "../assert.ts";
import { readSpan } from "../../src/cli/span.ts";

Deno.test("a span is a whole number and a unit", () => {
  const day = 86_400_000;
  const good = { "1s": 1_000, "90m": 5_400_000, "12h": day / 2, "30d": 30 * day, "2w": 14 * day };
  for (const [text, ms] of Object.entries(good)) equal(readSpan(text), ms, text);
  for (const text of ["", "0d", "30", "d", "1.5d", "-1d", "1 d", "30D", "1y", "999999999d"]) {
    throws(() => readSpan(text), { name: "Trouble", exit: 2 }, text);
  }
});
