import { type Call, type Driver, startDriver } from "../../support/conformance/driver.js";

/** A driver of another language is built first, on a machine that may have to fetch for it. */
export const BUILD_LIMIT_MS = 600_000;

/** Far above what any call takes, on a busy machine too. */
const DEADLINE_MS = 60_000;

/** A call that creates a payment of 19.99 EUR, unless it says otherwise. */
export function createPayment(target: string, call: Partial<Call> = {}): Call {
  return {
    method: "CreatePayment",
    deadlineMs: DEADLINE_MS,
    ...call,
    target,
    request: {
      amount: { currencyCode: "EUR", minorUnits: "1999" },
      paymentMethod: "tok_visa",
      ...call.request,
    },
  };
}

/** Starts a driver that is built and connected: it has had a call refused. */
export async function startReadyDriver(
  program: string,
  target: string,
  call: Partial<Call> = {},
): Promise<Driver> {
  const driver = startDriver(program);
  await driver.call({ ...createPayment(target, call), request: {} });
  return driver;
}
