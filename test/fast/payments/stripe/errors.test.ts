import { describe, expect, it } from "vitest";
import type { OperationKind } from "../../../../src/payments/operation.js";
import {
  declineCodeOf,
  type ErrorMeaning,
  errorRules,
  meaningOf,
} from "../../../../src/payments/processors/stripe/errors.js";
import type { FailureFacts } from "../../../../src/payments/processors/stripe/failure.js";

const KINDS = ["create", "capture", "cancel", "refund"] as const;
const invalid = { status: 400, type: "invalid_request_error" } as const;

function meanings(facts: FailureFacts, kinds: readonly OperationKind[] = KINDS) {
  return new Set(kinds.map((kind) => meaningOf(facts, kind)));
}

describe("one of Stripe's errors, for every operation", () => {
  const rows: readonly (readonly [string, FailureFacts, ErrorMeaning])[] = [
    ["a broken connection", { connection: "CONNECTION_ECONNRESET" }, "unknown"],
    ["a wrong key", { ...invalid, status: 401 }, "unknown"],
    ["an expired key", { ...invalid, status: 401, code: "api_key_expired" }, "unknown"],
    ["a key that may not", { ...invalid, status: 403 }, "unknown"],
    ["the other mode", { ...invalid, code: "livemode_mismatch" }, "unknown"],
    ["in flight", { status: 409, type: "idempotency_error" }, "unknown"],
    [
      "in flight by code",
      { status: 400, type: "idempotency_error", code: "idempotency_key_in_use" },
      "unknown",
    ],
    ["too many calls", { ...invalid, status: 429, code: "rate_limit" }, "unknown"],
    ["a locked object", { ...invalid, status: 429, code: "lock_timeout" }, "unknown"],
    ["a server's error", { status: 500, type: "api_error" }, "unknown"],
    ["an error before the API", { status: 502 }, "unknown"],
    ["an external failure", { status: 424, type: "api_error" }, "unknown"],
    ["an answer nobody knows", { status: 418 }, "unknown"],
    ["another payload", { status: 400, type: "idempotency_error" }, "key_reused"],
    ["a decline", { status: 402, type: "card_error", code: "card_declined" }, "declined"],
    ["a wrong parameter", { ...invalid, code: "parameter_invalid_integer" }, "invalid"],
    ["too little", { ...invalid, code: "amount_too_small" }, "invalid"],
  ];
  it.each(rows)("%s", (_, facts, meaning) => {
    expect(meanings(facts)).toEqual(new Set([meaning]));
  });
});

describe("the state of a payment", () => {
  it.each([
    ["capture", "payment_intent_unexpected_state"],
    ["capture", "charge_expired_for_capture"],
    ["capture", "amount_too_large"],
    ["cancel", "payment_intent_unexpected_state"],
    ["refund", "charge_already_refunded"],
    ["refund", "amount_too_large"],
    ["refund", "charge_disputed"],
  ] as const)("declines a %s: %s", (kind, code) => {
    expect(meanings({ ...invalid, code }, [kind])).toEqual(new Set(["declined"]));
    expect(meanings({ ...invalid, code }, ["create"])).toEqual(new Set(["invalid"]));
  });

  it("that Stripe does not know any more is unknown, and a method that it does not know is not", () => {
    const missing = { ...invalid, status: 404, code: "resource_missing" };
    expect(meanings(missing, ["capture", "cancel", "refund"])).toEqual(new Set(["unknown"]));
    expect(meanings({ ...invalid, code: "resource_missing" }, ["create"])).toEqual(
      new Set(["invalid"]),
    );
  });
});

describe("the code of a decline", () => {
  it.each([
    [{ code: "card_declined", declineCode: "insufficient_funds" }, "insufficient_funds"],
    [{ code: "expired_card" }, "expired_card"],
    [{}, "card_declined"],
    [{ code: "requires_action_not_handled" }, "authentication_required"],
    [{ code: "authentication_required" }, "authentication_required"],
  ])("%j is %s", (facts, code) => {
    expect(declineCodeOf(facts)).toBe(code);
  });
});

it("no rule is hidden by those before it", () => {
  const last = errorRules.at(-1);
  expect(last?.matches({ status: 302 }, "create")).toBe(true);
  expect(new Set(errorRules.map(({ error }) => error)).size).toBe(errorRules.length);
});
