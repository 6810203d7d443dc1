import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  fromStripe,
  refusalOf,
  specialCurrencies,
  toStripe,
} from "../../../../src/payments/processors/stripe/currencies.js";

const money = (currencyCode: string, minorUnits: bigint) => ({ currencyCode, minorUnits });

/** docs.stripe.com/currencies, "Zero-decimal currencies", without those that are special. */
const ZERO_DECIMAL = "BIF CLP DJF GNF JPY KMF KRW PYG RWF VND VUV XAF XOF XPF".split(" ");

describe("an amount in Stripe's units", () => {
  it.each([
    ["EUR", 1234n, 1234],
    ["USD", 1n, 1],
    ["JPY", 500n, 500],
    ["ISK", 5n, 500],
    ["UGX", 5n, 500],
    ["MGA", 500n, 5],
    ["HUF", 1045n, 1045],
    ["TWD", 1045n, 1045],
    ["KWD", 5120n, 5120],
    ["BHD", 10n, 10],
  ])("%s %s is %i", (currencyCode, minorUnits, units) => {
    expect(refusalOf(money(currencyCode, minorUnits))).toBeUndefined();
    expect(toStripe(money(currencyCode, minorUnits))).toBe(units);
    expect(fromStripe(units, currencyCode.toLowerCase())).toEqual(money(currencyCode, minorUnits));
  });

  it.each(ZERO_DECIMAL)("%s has no decimals in both", (currencyCode) => {
    expect(toStripe(money(currencyCode, 7n))).toBe(7);
  });

  it.each([
    ["MGA", 150n, "in MGA must be a multiple of 100 minor units: Stripe takes whole ariary"],
    ["KWD", 5124n, /^in KWD must be a multiple of 10 minor units: three decimals/],
    ["TND", 1n, /^in TND must be a multiple of 10 minor units/],
    ["IQD", 1000n, /^Stripe charges no IQD: three decimals/],
    ["LYD", 1000n, /^Stripe charges no LYD/],
    ["ISK", 10n ** 15n, /^is more than Stripe's own count of ISK can hold/],
  ])("%s %s cannot be charged, and the reason says so", (currencyCode, minorUnits, reason) => {
    const amount = money(currencyCode, minorUnits);
    expect(refusalOf(amount)).toMatch(reason);
    expect(() => toStripe(amount)).toThrow(RangeError);
  });

  it("of Stripe's that is no whole number of minor units is an error", () => {
    expect(() => fromStripe(550, "isk")).toThrow(RangeError);
    expect(fromStripe(5, "mga")).toEqual(money("MGA", 500n));
  });

  it("is lossless wherever it is accepted", () => {
    const codes = [...specialCurrencies.map(({ currencyCode }) => currencyCode), ...ZERO_DECIMAL];
    fc.assert(
      fc.property(
        fc.constantFrom(...codes, "EUR", "USD"),
        fc.bigInt({ min: 1n, max: 10n ** 15n }),
        (currencyCode, minorUnits) => {
          const amount = money(currencyCode, minorUnits);
          if (refusalOf(amount) === undefined) {
            const units = toStripe(amount);
            expect(Number.isSafeInteger(units) && units > 0).toBe(true);
            expect(fromStripe(units, currencyCode)).toEqual(amount);
          }
        },
      ),
    );
  });
});
