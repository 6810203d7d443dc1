import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isActiveCurrency } from "../../../src/payments/currencies.js";
import { readMoney } from "../../../src/payments/money.js";
import { refusalOf } from "./refusal.js";

describe("the amount of a request", () => {
  it("is any number from 1 to 10^15 of an active currency", () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 1n, max: 10n ** 15n }),
        fc.constantFrom("EUR", "USD", "JPY", "XOF", "KWD"),
        (minorUnits, currencyCode) => {
          const money = { currencyCode, minorUnits };
          expect(readMoney(money)).toEqual(money);
        },
      ),
    );
  });

  it("is refused as AMOUNT_INVALID when it is absent, zero, negative or above 10^15", () => {
    expect(refusalOf(() => readMoney(undefined))).toEqual(["AMOUNT_INVALID", "amount"]);
    const outside = fc.oneof(
      fc.bigInt({ min: -(2n ** 63n), max: 0n }),
      fc.bigInt({ min: 10n ** 15n + 1n, max: 2n ** 63n - 1n }),
    );
    fc.assert(
      fc.property(outside, (minorUnits) => {
        expect(refusalOf(() => readMoney({ currencyCode: "EUR", minorUnits }))).toEqual([
          "AMOUNT_INVALID",
          "amount.minor_units",
        ]);
      }),
    );
  });

  it.each([
    "",
    "eur",
    "EU",
    "EURO",
    "DEM",
    "HRK",
    "BGN",
    "ANG",
    "XAU",
    "XTS",
    "XXX",
    "CLF",
    "EUR ",
  ])("is refused as CURRENCY_UNKNOWN in %j", (currencyCode) => {
    expect(refusalOf(() => readMoney({ currencyCode, minorUnits: 1n }))).toEqual([
      "CURRENCY_UNKNOWN",
      "amount.currency_code",
    ]);
  });
});

it("every active currency is three upper case letters, and there are 155", () => {
  const letters = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ"];
  const codes = letters.flatMap((a) => letters.flatMap((b) => letters.map((c) => a + b + c)));
  expect(codes.filter(isActiveCurrency)).toHaveLength(155);
  expect(isActiveCurrency("")).toBe(false);
});
