import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { specialCurrencies } from "../../../src/payments/processors/stripe/currencies.js";
import { errorRules } from "../../../src/payments/processors/stripe/errors.js";

const text = readFileSync(
  fileURLToPath(new URL("../../../docs/stripe.md", import.meta.url)),
  "utf8",
);

/** The rows of the table below a heading, without its head. */
function rowsBelow(heading: string): readonly (readonly string[])[] {
  const [, section = ""] = text.split(`\n## ${heading}\n`);
  const [body = ""] = section.split("\n## ");
  const rows = body.split("\n").filter((line) => line.startsWith("|"));
  return rows.slice(2).map((row) =>
    row
      .slice(1, -1)
      .split("|")
      .map((cell) => cell.trim()),
  );
}

describe("docs/stripe.md", () => {
  it("has every rule for errors in its order, as the adapter has", () => {
    expect(rowsBelow("Errors")).toEqual(
      errorRules.map(({ error, meaning, reason }) => [error, `\`${meaning}\``, reason]),
    );
  });

  it("has every currency that is counted otherwise", () => {
    expect(rowsBelow("Currencies")).toEqual(
      specialCurrencies.map(({ currencyCode, decimals, stripeDecimals, multipleOf, reason }) => [
        currencyCode,
        String(decimals),
        stripeDecimals === undefined ? "none" : String(stripeDecimals),
        stripeDecimals === undefined ? "none" : `multiples of ${multipleOf}`,
        reason,
      ]),
    );
  });
});
