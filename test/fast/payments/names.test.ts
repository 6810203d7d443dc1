import { expect, it } from "vitest";
import { nameKey } from "../../../src/payments/postgres/rows.js";

it("no two names have one key, wherever a space stands in them", () => {
  expect(nameKey({ tenant: "a b", id: "c" })).not.toBe(nameKey({ tenant: "a", id: "b c" }));
  expect(nameKey({ tenant: "1", id: "1:1" })).not.toBe(nameKey({ tenant: "11:", id: "1" }));
});
