import { inspect } from "node:util";
import Stripe from "stripe";
import { describe, expect, it } from "vitest";
import { failureOf } from "../../../../src/payments/processors/stripe/failure.js";

const SECRET = "sk_test_MARKEDMARKEDMARKED1234";

function stripeError(raw: Record<string, unknown>) {
  return new Stripe.errors.StripeAuthenticationError({
    type: "invalid_request_error",
    ...raw,
  });
}

describe("a failure holds nothing of the secret", () => {
  it.each([
    ["the message repeats it", { message: `Invalid API Key provided: ${SECRET}` }],
    ["the message repeats its end", { message: "Invalid API Key provided: sk_test_****1234" }],
    ["a code is it", { code: SECRET }],
    ["a code is a part of it", { decline_code: "MARKEDMARKED" }],
    ["a parameter has it", { param: `x[${SECRET}]` }],
    ["a header has it", { headers: { "request-id": SECRET, authorization: SECRET } }],
  ])("%s", (_, raw) => {
    const failure = failureOf(stripeError({ statusCode: 401, ...raw }), SECRET);
    const shown = `${failure.message} ${failure.stack} ${inspect(failure, { depth: 9 })}`;
    expect(shown).not.toMatch(/MARKED|1234/);
    expect(failure.message).toMatch(/^Stripe: status 401, invalid_request_error/);
  });
});

it("a failure names the request, and keeps what a decline is judged by", () => {
  const failure = failureOf(
    stripeError({
      type: "card_error",
      statusCode: 402,
      requestId: "req_1",
      code: "card_declined",
      decline_code: "do_not_honor",
      charge: "ch_1",
      payment_intent: { id: "pi_1" },
      network_decline_code: "05",
    }),
    SECRET,
  );
  expect(failure.facts).toEqual({
    status: 402,
    type: "card_error",
    code: "card_declined",
    declineCode: "do_not_honor",
    requestId: "req_1",
    charge: "ch_1",
    paymentIntent: "pi_1",
    networkDeclineCode: "05",
  });
  expect(failure.message).toBe(
    "Stripe: status 402, card_error, card_declined, do_not_honor, request req_1",
  );
});
