import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { admit as admitAt } from "../../../src/payments/admission.js";
import { bookingsOf } from "../../../src/payments/ledger.js";
import type { ChangeIntent, OperationKind } from "../../../src/payments/operation.js";
import type { Payment } from "../../../src/payments/payment.js";
import { isEdge, reserve, settle, toUnknown } from "../../../src/payments/state.js";
import { payment } from "../../support/payments/payments.js";

const admit = (payment: Payment, intent: ChangeIntent) => admitAt(payment, intent, new Date());

const approved = { kind: "approved" } as const;
const declined = { kind: "declined", declineCode: "no" } as const;
const creation = { kind: "create", minorUnits: 1000n } as const;

/** What happens next: an operation is asked for, or the processor answers one in flight. */
type Step =
  | { readonly type: "ask"; readonly kind: "capture" | "refund"; readonly minorUnits?: bigint }
  | { readonly type: "ask"; readonly kind: "cancel" }
  | { readonly type: "answer"; readonly index: number; readonly approve: boolean };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    fc.record(
      {
        type: fc.constant("ask" as const),
        kind: fc.constantFrom("capture" as const, "refund" as const),
        minorUnits: fc.bigInt({ min: 1n, max: 1200n }),
      },
      { requiredKeys: ["type", "kind"] },
    ),
    fc.record({ type: fc.constant("ask" as const), kind: fc.constant("cancel" as const) }),
    fc.record({ type: fc.constant("answer" as const), index: fc.nat(9), approve: fc.boolean() }),
  ),
  { maxLength: 40 },
);

function expectBounds(current: Payment): void {
  const { authorized, captured, capturing, refunded, refunding, canceling } = current;
  for (const amount of [authorized, captured, capturing, refunded, refunding]) {
    expect(amount).toBeGreaterThanOrEqual(0n);
  }
  expect(captured + capturing).toBeLessThanOrEqual(authorized);
  expect(refunded + refunding).toBeLessThanOrEqual(captured);
  expect(canceling && captured + capturing > 0n).toBe(false);
}

function expectStep(before: Payment, after: Payment): void {
  const moved = before.status !== after.status;
  const amountsMoved = before.captured !== after.captured || before.refunded !== after.refunded;
  expect(moved ? isEdge(before.status, after.status) : true).toBe(true);
  expect(after.version - before.version).toBe(moved || amountsMoved ? 1n : 0n);
}

describe("any sequence of admitted operations", () => {
  it("keeps captured <= authorized and refunded <= captured, moves along the edges, and balances", () => {
    fc.assert(
      fc.property(steps, fc.boolean(), (sequence, automatic) => {
        let current = settle(
          payment({ captureMethod: automatic ? "AUTOMATIC" : "MANUAL" }),
          creation,
          approved,
        );
        let receivable = bookingsOf(creation, current)[0]?.minorUnits ?? 0n;
        const inFlight: { kind: OperationKind; minorUnits: bigint }[] = [];
        for (const step of sequence) {
          const before = current;
          if (step.type === "answer") {
            const [operation] = inFlight.splice(step.index, 1);
            if (operation === undefined) {
              continue;
            }
            current = settle(before, operation, step.approve ? approved : declined);
            const bookings = step.approve ? bookingsOf(operation, current) : [];
            expect(bookings.reduce((sum, { minorUnits }) => sum + minorUnits, 0n)).toBe(0n);
            receivable += bookings[0]?.minorUnits ?? 0n;
          } else {
            const amount =
              step.kind === "cancel" || step.minorUnits === undefined
                ? {}
                : { amount: { currencyCode: "EUR", minorUnits: step.minorUnits } };
            const admission = admit(before, { kind: step.kind, paymentId: "pay_1", ...amount });
            if (admission.kind !== "admitted") {
              continue;
            }
            const operation = { kind: step.kind, minorUnits: admission.minorUnits };
            current = reserve(before, operation);
            inFlight.push(operation);
          }
          expectBounds(current);
          expectStep(before, current);
          expect(receivable).toBe(current.captured - current.refunded);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe("the creation of a payment", () => {
  it("ends as the capture method and the processor say", () => {
    expect(settle(payment(), creation, approved)).toMatchObject({
      status: "AUTHORIZED",
      authorized: 1000n,
      captured: 0n,
      version: 2n,
    });
    expect(settle(payment({ captureMethod: "AUTOMATIC" }), creation, approved)).toMatchObject({
      status: "CAPTURED",
      authorized: 1000n,
      captured: 1000n,
      version: 2n,
    });
    expect(settle(payment(), creation, declined)).toMatchObject({
      status: "DECLINED",
      authorized: 0n,
      declineCode: "no",
      version: 2n,
    });
  });

  it.each(["PROCESSING", "UNKNOWN"] as const)("may wait for its customer from %s on", (status) => {
    const time = new Date(10_000);
    const action = { kind: "requires_action", nextAction: { clientSecret: "s" } } as const;
    const asked = settle(
      payment({ status }),
      creation,
      { ...action, reference: "pi_1" },
      { time, actionTimeoutMs: 60_000 },
    );
    expect(asked).toMatchObject({
      status: "REQUIRES_ACTION",
      authorized: 0n,
      nextAction: { clientSecret: "s", expireTime: new Date(70_000) },
      processorReference: "pi_1",
    });
    expect(asked.lookTime?.getTime()).toBeGreaterThan(10_000);
    expect(bookingsOf({ ...creation, minorUnits: 0n }, asked)).toEqual([]);
    const quiet = { nextAction: undefined, lookTime: undefined };
    expect(settle(asked, creation, approved)).toMatchObject({
      status: "AUTHORIZED",
      processorReference: "pi_1",
      ...quiet,
    });
    expect(settle(asked, creation, declined)).toMatchObject({ status: "DECLINED", ...quiet });
    expect(() => settle(asked, creation, action)).toThrow("cannot go from REQUIRES_ACTION");
    expect(() => settle(asked, { kind: "capture", minorUnits: 1n }, action)).toThrow("a capture");
  });

  it("may be unknown in between, which is one transition however often it is found so", () => {
    const unknown = toUnknown(toUnknown(payment()));
    expect(unknown).toMatchObject({ status: "UNKNOWN", version: 2n });
    expect(settle(unknown, creation, approved)).toMatchObject({
      status: "AUTHORIZED",
      version: 3n,
    });
  });

  it("happens once", () => {
    const created = settle(payment(), creation, approved);
    expect(() => settle(created, creation, approved)).toThrow("from AUTHORIZED to AUTHORIZED");
    expect(() => toUnknown(created)).toThrow("from AUTHORIZED to UNKNOWN");
  });
});
