/** Amounts of money: whole micro-USD within, dollars for people. No amount is ever a floating-point number. */
import { FileError } from "../fs/error.ts";

/** A non-negative safe integer; 1 is $0.000001. */
export type MicroUsd = number & { readonly __brand: "MicroUsd" };

const MICROS = 1_000_000n;
const DOLLARS = /^\$?(\d{1,10})(?:\.(\d{1,6}))?$/;

/** @throws FileError `invalid_request` unless it is a non-negative safe integer */
export function microUsd(value: unknown, name = "amount"): MicroUsd {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) {
    return value as MicroUsd;
  }
  throw new FileError("invalid_request", "read", name, {
    detail: `an amount is a whole number of micro-USD, not ${
      String(JSON.stringify(value)).slice(0, 80)
    }`,
  });
}

/** Dollars as people write them: `$5`, `0.0003`. @throws FileError `invalid_request` for anything else, and for parts of a micro-USD */
export function parseDollars(text: string, name = "amount"): MicroUsd {
  const match = DOLLARS.exec(text.trim());
  if (!match) {
    throw new FileError("invalid_request", "read", name, {
      detail: `an amount is in dollars, like $5 or $0.0003, not ${
        JSON.stringify(text.slice(0, 80))
      }`,
    });
  }
  const micros = BigInt(match[1]!) * MICROS + BigInt((match[2] ?? "").padEnd(6, "0"));
  return microUsd(Number(micros), name);
}

/** `$5`, `$0.0003`: no digit more than is needed. */
export function dollars(amount: number): string {
  const [sign, micros] = amount < 0 ? ["-", BigInt(-amount)] : ["", BigInt(amount)];
  const rest = String(micros % MICROS).padStart(6, "0").replace(/0+$/, "");
  return `${sign}$${micros / MICROS}${rest === "" ? "" : `.${rest}`}`;
}
