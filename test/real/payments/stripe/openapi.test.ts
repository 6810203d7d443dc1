import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ProcessorRefused } from "../../../../src/payments/processor.js";
import { GO_BUILD_LIMIT_MS } from "../../../support/go-tool.js";
import {
  buildStripeMock,
  type StripeMock,
  startStripeMock,
  stripeMockAvailable,
} from "../../../support/servers/stripe-mock.js";
import { authorization, later, openStripe } from "./support.js";

describe.skipIf(!stripeMockAvailable)("Stripe's own mock, which has its published OpenAPI", () => {
  let mock: StripeMock;
  beforeAll(async () => {
    await buildStripeMock();
    mock = await startStripeMock();
  }, GO_BUILD_LIMIT_MS);
  afterAll(() => mock?.stop());

  // Its answers are examples, of an intent without a method: no decision. What its schema refuses
  // would be refused as invalid.
  it.each([false, true])("refuses no request, with multicapture: %s", async (multicapture) => {
    const apiBase = new URL(mock.url);
    const processor = openStripe({ apiBase, multicapture, secretKey: "sk_test_123" });
    const reference = "pi_123456789";
    const request = later("mock", "later", 400n, reference);
    const calls = {
      authorize: () => processor.authorize(authorization("mock", "pm_card_visa")),
      charge: () =>
        processor.authorize({ ...authorization("mock", "pm_card_visa"), capture: true }),
      capture: () => processor.capture(request),
      void: () => processor.void(request),
      refund: () => processor.refund(request),
    };
    for (const [name, call] of Object.entries(calls)) {
      const error = await call().catch((reason: unknown) => reason);
      expect(error instanceof ProcessorRefused ? `${name}: ${error.message}` : "").toBe("");
      expect(String(error)).not.toMatch(/status 4/);
    }
    for (const kind of ["create", "capture", "cancel", "refund"] as const) {
      for (const names of [request, authorization("mock")]) {
        const error = await processor.lookUp({ ...names, kind }).catch((reason: unknown) => reason);
        expect(String(error)).not.toMatch(/status 4/);
      }
    }
    await processor.check();
  });

  it("does refuse: a token in the place of a method is not in the schema, though Stripe takes it", async () => {
    const processor = openStripe({ apiBase: new URL(mock.url), secretKey: "sk_test_123" });
    await expect(processor.authorize(authorization("token", "tok_visa"))).rejects.toMatchObject({
      refusal: "invalid",
    });
  });
});
