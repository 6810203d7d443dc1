import { describe, expect, it } from "vitest";
import {
  authorization,
  authorize,
  capture,
  eur,
  type GrpcClient,
  listEffects,
  readLines,
  refund,
  runSandbox,
  verdict,
  voidPayment,
} from "./support.js";

/** Effects on one payment, each with a key of its own. */
function payment({ call }: GrpcClient) {
  let keys = 0;
  const names = () => {
    keys += 1;
    return { processorKey: `${keys}`, paymentId: "payment-1" };
  };
  return {
    authorize: async (minorUnits: bigint) =>
      verdict(await call(authorize, authorization({ ...names(), amount: eur(minorUnits) }))),
    capture: async (minorUnits: bigint, currencyCode = "EUR") =>
      verdict(await call(capture, { ...names(), amount: { currencyCode, minorUnits } })),
    void: async () => verdict(await call(voidPayment, names())),
    refund: async (minorUnits: bigint) =>
      verdict(await call(refund, { ...names(), amount: eur(minorUnits) })),
  };
}

describe("the sandbox declines what a payment's effects do not allow", () => {
  it("captures up to the authorized amount, in parts", async () => {
    const { authorize, capture } = payment(await runSandbox());

    expect(await capture(1n)).toBe("not_authorized");
    expect(await authorize(100n)).toBe("approved");
    expect(await capture(60n, "USD")).toBe("currency_mismatch");
    expect(await capture(60n)).toBe("approved");
    expect(await capture(41n)).toBe("amount_exceeds_authorized");
    expect(await capture(40n)).toBe("approved");
    expect(await capture(1n)).toBe("amount_exceeds_authorized");
  });

  it("refunds up to the captured amount, in parts", async () => {
    const { authorize, capture, refund } = payment(await runSandbox());

    expect(await refund(1n)).toBe("not_authorized");
    await authorize(100n);
    expect(await refund(1n)).toBe("amount_exceeds_captured");
    await capture(50n);
    expect(await refund(30n)).toBe("approved");
    expect(await refund(21n)).toBe("amount_exceeds_captured");
    expect(await refund(20n)).toBe("approved");
  });

  it("voids once, and only before the first capture", async () => {
    const voided = payment(await runSandbox());
    expect(await voided.void()).toBe("not_authorized");
    await voided.authorize(100n);
    expect(await voided.void()).toBe("approved");
    expect(await voided.void()).toBe("already_voided");
    expect(await voided.capture(1n)).toBe("already_voided");

    const captured = payment(await runSandbox());
    await captured.authorize(100n);
    await captured.capture(1n);
    expect(await captured.void()).toBe("already_captured");
  });

  it("lets concurrent captures have no more than there is", async () => {
    const running = await runSandbox();
    const { authorize, capture } = payment(running);
    await authorize(100n);

    const verdicts = await Promise.all(Array.from({ length: 20 }, () => capture(30n)));

    expect(verdicts.filter((each) => each === "approved")).toHaveLength(3);
    expect(verdicts.filter((each) => each === "amount_exceeds_authorized")).toHaveLength(17);
    expect((await running.call(listEffects, {})).effects).toHaveLength(4);
  });

  it("charges a second authorization of a payment, so that it shows", async () => {
    const running = await runSandbox();
    const { authorize } = payment(running);

    expect(await authorize(100n)).toBe("approved");
    expect(await authorize(100n)).toBe("approved");

    expect(await readLines(running.dataDir)).toHaveLength(2);
  });
});
