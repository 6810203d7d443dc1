import { expect, it } from "vitest";
import { readPage } from "../../../src/payments/paging.js";
import { cutPage } from "../../../src/runtime/paging.js";
import { refusalOf } from "./refusal.js";

const filter = ["payments", "acme", "order-1", ""];
const cursorOf = (row: bigint) => row;

const tokenOf = (rows: readonly bigint[], size: number) =>
  cutPage(rows, { size }, { filter, cursorOf }).nextPageToken;

it("a page holds 50 rows unless it says otherwise", () => {
  expect(readPage({ pageSize: 0, pageToken: "" }, filter)).toEqual({ size: 50 });
  expect(readPage({ pageSize: 1000, pageToken: "" }, filter)).toEqual({ size: 1000 });
});

it.each([-1, 1001])("a page of %d rows is refused", (pageSize) => {
  expect(refusalOf(() => readPage({ pageSize, pageToken: "" }, filter))).toEqual([
    "FIELD_INVALID",
    "page_size",
  ]);
});

it("a token leads on from the last row of its page", () => {
  const pageToken = tokenOf([9n, 8n, 7n], 2);
  expect(readPage({ pageSize: 2, pageToken }, filter)).toEqual({ size: 2, cursor: 8n });
});

it("the last page has no token, also when it is full or empty", () => {
  expect(tokenOf([9n, 8n], 2)).toBe("");
  expect(tokenOf([], 2)).toBe("");
});

it("a token of other filters, or of nobody, is refused", () => {
  const refusal = ["FIELD_INVALID", "page_token"];
  const pageToken = tokenOf([9n, 8n, 7n], 2);
  for (const other of [
    ["payments", "other", "order-1", ""],
    ["payments", "acme", "", "order-1"],
  ]) {
    expect(refusalOf(() => readPage({ pageSize: 2, pageToken }, other))).toEqual(refusal);
  }
  for (const forged of ["8", "MQ", "\0", Buffer.from("-1 x").toString("base64url")]) {
    expect(refusalOf(() => readPage({ pageSize: 2, pageToken: forged }, filter))).toEqual(refusal);
  }
});
