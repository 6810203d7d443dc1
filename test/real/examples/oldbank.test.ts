import { describe, expect, it } from "vitest";
import { fromDecimal, refusalOf, toDecimal } from "../../../examples/oldbank/amounts.js";
import { setup } from "../../../examples/oldbank/test/setup.js";
import { processorContract } from "../../../src/testing/index.js";

describe("the adapter for an acquirer without keys, whose look-up lags", () => {
  for (const { name, run } of processorContract(setup)) {
    it(name, run);
  }

  it("leaves out nothing but what it has none of", () => {
    const reasons = processorContract(setup).flatMap(({ notRun }) => notRun ?? []);
    expect(new Set(reasons)).toEqual(
      new Set([
        "the double has no payment method that is requiresAction",
        "the adapter lists no payments",
      ]),
    );
  });
});

it("amounts are written in major units, with the decimals of their currency", () => {
  const amounts = [
    ["EUR", 5n, "0.05"],
    ["EUR", 1234n, "12.34"],
    ["JPY", 1234n, "1234"],
    ["KWD", 1234n, "1.234"],
  ] as const;
  for (const [currencyCode, minorUnits, text] of amounts) {
    expect(toDecimal({ currencyCode, minorUnits })).toBe(text);
    expect(fromDecimal(text, currencyCode)).toEqual({ currencyCode, minorUnits });
  }
  expect(refusalOf({ currencyCode: "SEK", minorUnits: 1n })).toBe(
    "currency accepts EUR, USD, JPY, KWD",
  );
});
