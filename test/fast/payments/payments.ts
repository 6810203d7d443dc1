import type { Payment } from "../../../src/payments/payment.js";
import { initialState } from "../../../src/payments/state.js";

/** A payment of 1000 minor units as it is when created, with what a test changes. */
export function payment(change: Partial<Payment> = {}): Payment {
  return {
    tenant: "acme",
    id: "pay_1",
    currencyCode: "EUR",
    minorUnits: 1000n,
    paymentMethod: "tok_visa",
    captureMethod: "MANUAL",
    merchantReference: "",
    description: "",
    metadata: {},
    createTime: new Date(0),
    updateTime: new Date(0),
    ...initialState,
    ...change,
  };
}
