/** What tokens cost. */
import { costOf, isFree, maxCostOf, outputTokensFor } from "../../src/core/price.ts";
import { equal } from "../assert.ts";

const price = { input_micro_usd_per_mtok: 2_500_000, output_micro_usd_per_mtok: 10_000_000 };

Deno.test("a cost is whole micro-USD, rounded up once", () => {
  equal(costOf(price, { input_tokens: 0, output_tokens: 0 }), 0);
  equal(costOf(price, { input_tokens: 1, output_tokens: 0 }), 3);
  equal(costOf(price, { input_tokens: 1, output_tokens: 1 }), 13);
  equal(costOf(price, { input_tokens: 1_000_000, output_tokens: 1_000_000 }), 12_500_000);
  const cheap = { input_micro_usd_per_mtok: 1, output_micro_usd_per_mtok: 1 };
  equal(costOf(cheap, { input_tokens: 1, output_tokens: 1 }), 1);
});

Deno.test("a cost beyond what a number can say is the largest, never less", () => {
  const dear = { input_micro_usd_per_mtok: Number.MAX_SAFE_INTEGER, output_micro_usd_per_mtok: 0 };
  equal(maxCostOf(dear, Number.MAX_SAFE_INTEGER, 0), Number.MAX_SAFE_INTEGER);
  equal(maxCostOf(dear, 3, 0), 27_021_597_765);
});

Deno.test("an amount pays for as many tokens as do not pass it", () => {
  for (const amount of [0, 1, 9, 10, 12, 13, 100, 12_345]) {
    for (const input of [0, 1, 7]) {
      const output = outputTokensFor(price, input, amount);
      if (output < 0) equal(maxCostOf(price, input, 0) > amount, true, `${amount} ${input}`);
      else {
        equal(maxCostOf(price, input, output) <= amount, true, `${amount} ${input}`);
        equal(maxCostOf(price, input, output + 1) > amount, true, `${amount} ${input}`);
      }
    }
  }
  equal(outputTokensFor({ ...price, output_micro_usd_per_mtok: 0 }, 1, 3), Infinity);
});

Deno.test("only a price that is known can be free", () => {
  equal(isFree({ input_micro_usd_per_mtok: 0, output_micro_usd_per_mtok: 0 }), true);
  equal(isFree({ input_micro_usd_per_mtok: 0, output_micro_usd_per_mtok: 1 }), false);
  equal(isFree(undefined), false);
});
