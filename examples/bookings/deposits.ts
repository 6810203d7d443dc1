import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { PaymentService, PaymentStatus } from "./gen/payonce/payments/v1/payments_pb.js";

const DEPOSIT = { currencyCode: "EUR", minorUnits: 5_000n };

/** Longer than a card takes. An attempt that gives up is repeated, under the same key. */
const PAYMENT_LIMIT_MS = 10_000;

/** Rejects when it is not known whether the deposit was taken. */
export type TakeDeposit = (deposit: {
  readonly key: string;
  readonly reference: string;
  readonly paymentMethod: string;
  readonly signal: AbortSignal;
}) => Promise<"taken" | "declined">;

/** Deposits through a payonce service; the key makes each of them happen once. */
export function openDeposits(baseUrl: string): TakeDeposit {
  const transport = createConnectTransport({ baseUrl, httpVersion: "1.1" });
  const payments = createClient(PaymentService, transport);
  return async ({ key, reference, paymentMethod, signal }) => {
    const { payment } = await payments
      .createPayment(
        {
          idempotencyKey: key,
          amount: DEPOSIT,
          paymentMethod,
          merchantReference: reference,
        },
        { signal, timeoutMs: PAYMENT_LIMIT_MS },
      )
      .catch((cause: unknown) => {
        // Passed on as it is, another service's status would be read as this one's.
        throw new Error("it is not known whether the deposit was taken", { cause });
      });
    return payment?.status === PaymentStatus.DECLINED ? "declined" : "taken";
  };
}
