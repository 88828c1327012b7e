/** Prices: whole numbers, from the list of a day or as a server tells them. */
import { deepEqual, equal, match, ok } from "../../assert.ts";
import fc from "fast-check";
import { costOf } from "../../../src/core/price.ts";
import table from "../../../src/providers/compute/prices.json" with { type: "json" };
import {
  listFacts,
  perMtok,
  PRICES_DATE,
  toldPrice,
} from "../../../src/providers/compute/prices.ts";

Deno.test("the list has a date, and each of its models a price", () => {
  match(PRICES_DATE, /^20\d\d-\d\d-\d\d$/);
  for (const vendor of ["openai", "anthropic"] as const) {
    for (const model of Object.keys(table[vendor])) {
      const { price, context_tokens, max_output_tokens = 0 } = listFacts(vendor, model);
      ok(price!.input_micro_usd_per_mtok > 0, model);
      ok(context_tokens! >= max_output_tokens, model);
    }
  }
});

Deno.test("a state of a model costs what the model costs, unless the list says otherwise", () => {
  const price = (model: string) => listFacts("openai", model).price;
  deepEqual(price("gpt-4o-2024-08-06"), price("gpt-4o"));
  ok(
    price("gpt-4o-2024-05-13")!.input_micro_usd_per_mtok >
      price("gpt-4o")!.input_micro_usd_per_mtok,
  );
  deepEqual(
    listFacts("anthropic", "claude-sonnet-4-20250514"),
    listFacts("anthropic", "claude-sonnet-4"),
  );
  deepEqual(
    listFacts("anthropic", "claude-3-5-haiku-latest"),
    listFacts("anthropic", "claude-3-5-haiku"),
  );
});

Deno.test("a model that the list does not name has no price, whatever it is called", () => {
  for (
    const model of ["gpt-9", "ft:gpt-4o:me", "gpt-4o-turbo", "constructor", "__proto__", "date"]
  ) {
    deepEqual(listFacts("openai", model), {});
  }
});

Deno.test("dollars a token become micro-USD for a million, rounded up", () => {
  equal(perMtok("0.0000025"), 2_500_000);
  equal(perMtok("0.00000015"), 150_000);
  equal(perMtok("2.5e-6"), 2_500_000);
  equal(perMtok("1E-7"), 100_000);
  equal(perMtok("0"), 0);
  equal(perMtok("1"), 1_000_000_000_000);
  // Less than the smallest amount is not free.
  equal(perMtok("0.0000000000001"), 1);
  equal(perMtok("0.0000000000010000000001"), 2);
  for (const text of ["-1", "", "free", "1,5", ".5", "0x1", "Infinity", "99999999999999"]) {
    equal(perMtok(text), undefined, text);
  }
});

Deno.test("what is rounded is never less than the price, and less than one more", () => {
  const digits = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 20 });
  fc.assert(fc.property(digits, (all) => {
    const part = all.join("");
    const micros = BigInt(perMtok(`0.${part}`)!);
    const exact = BigInt(part) * 10n ** 12n, scale = 10n ** BigInt(part.length);
    return micros * scale >= exact && (micros - 1n) * scale < exact;
  }));
});

Deno.test("a server's price is one only if it is all that a call costs", () => {
  const told = toldPrice({
    prompt: "0.000003",
    completion: "0.000015",
    request: "0",
    image: "0.1",
  });
  deepEqual(told, { input_micro_usd_per_mtok: 3_000_000, output_micro_usd_per_mtok: 15_000_000 });
  equal(costOf(told!, { input_tokens: 1000, output_tokens: 100 }), 4_500);
  for (
    const pricing of [
      undefined,
      {},
      { prompt: "-1", completion: "-1" },
      { prompt: "0.1", completion: 0.1 },
      { prompt: "0.000003", completion: "0.000015", request: "0.01" },
    ]
  ) equal(toldPrice(pricing), undefined);
});
