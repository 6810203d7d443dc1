import {
  type Payment as PaymentMessage,
  PaymentStatus as WireStatus,
} from "../../gen/payonce/payments/v1/payments_pb.js";
import { type PaymentStatus, paymentStatuses } from "../../payments/payment.js";
import { isEdge, NOT_EXECUTED } from "../../payments/state.js";
import { type Check, checkEach, paymentText } from "../check.js";
import type { AuditedPayment } from "../facts.js";
import { nameOf } from "../index-facts.js";

/** The events of a payment are its history, and the newest one is what it is now. */
export const transitions: Check = {
  id: "I9",
  title: "payments move along the edges of the state machine only",
  needsCalls: false,
  check: ({ payments, eventsByPayment }) =>
    checkEach(payments, paymentText, function* (payment) {
      const events = eventsByPayment.get(nameOf(payment.tenant, payment.id)) ?? [];
      const states = events.flatMap((event) => (event.payment ? [stateOf(event.payment)] : []));
      const [first] = states;
      if (first !== undefined && first.version === 1n && first.status !== "PROCESSING") {
        yield `began as ${first.status}`;
      }
      for (const [index, after] of states.entries()) {
        const before = states[index - 1];
        const isNext = before?.version === after.version - 1n;
        if (isNext && !isStep(before, after)) {
          yield `went from ${stateText(before)} to ${stateText(after)}`;
        }
      }
      const last = states.at(-1);
      if (last?.version === payment.version && stateText(last) !== stateText(payment)) {
        yield `is ${stateText(payment)}, and its newest event says ${stateText(last)}`;
      }
    }),
};

type State = Pick<
  AuditedPayment,
  "version" | "authorized" | "captured" | "refunded" | "declineCode"
> & { readonly status: PaymentStatus | undefined };

function stateOf(payment: PaymentMessage): State {
  const { status, version, authorized, captured, refunded, declineCode } = payment;
  return {
    status: paymentStatuses.find((name) => WireStatus[name] === status),
    version,
    authorized: authorized?.minorUnits ?? 0n,
    captured: captured?.minorUnits ?? 0n,
    refunded: refunded?.minorUnits ?? 0n,
    declineCode,
  };
}

/**
 * An edge, or a refund, which keeps the status. What was captured or refunded
 * stays so, and so does what the processor declined.
 */
function isStep(before: State, after: State): boolean {
  const isRefund = before.status === after.status && after.refunded > before.refunded;
  const isMove =
    before.status !== undefined &&
    after.status !== undefined &&
    isEdge(before.status, after.status) &&
    (before.status !== "DECLINED" || before.declineCode === NOT_EXECUTED);
  return (
    (isRefund || isMove) && after.captured >= before.captured && after.refunded >= before.refunded
  );
}

function stateText({ status, authorized, captured, refunded, declineCode }: State): string {
  const decline = declineCode === "" ? "" : ` (${declineCode})`;
  return `${status}${decline} with ${authorized} authorized, ${captured} captured, ${refunded} refunded`;
}
