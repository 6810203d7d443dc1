import type { Operation } from "./operation.js";
import type { Payment, PaymentState, PaymentStatus, PaymentTerms } from "./payment.js";
import type { ProcessorDecision } from "./processor.js";

/** The edges of the state machine. A refund keeps the status, so it is no edge. */
const edges: Record<PaymentStatus, readonly PaymentStatus[]> = {
  PROCESSING: ["AUTHORIZED", "CAPTURED", "DECLINED", "UNKNOWN", "REQUIRES_ACTION"],
  UNKNOWN: ["AUTHORIZED", "CAPTURED", "DECLINED", "REQUIRES_ACTION"],
  REQUIRES_ACTION: ["AUTHORIZED", "CAPTURED", "DECLINED", "CANCELED"],
  AUTHORIZED: ["PARTIALLY_CAPTURED", "CAPTURED", "CANCELED"],
  PARTIALLY_CAPTURED: ["PARTIALLY_CAPTURED", "CAPTURED"],
  CAPTURED: [],
  // Only where it never was executed, and its call comes again: see `restart`.
  DECLINED: ["PROCESSING"],
  CANCELED: [],
};

/** Returns true if a payment may go from one status to another. */
export function isEdge(from: PaymentStatus, to: PaymentStatus): boolean {
  return edges[from].includes(to);
}

/** The decline code of a payment that, as an operator found out, was never executed. */
export const NOT_EXECUTED = "not_executed";

/** A transition that an operation asks a payment to make. */
type Asked = Pick<Operation, "kind" | "minorUnits">;

/** A payment whose processor is being asked. */
export const initialState: PaymentState = {
  status: "PROCESSING",
  version: 1n,
  authorized: 0n,
  captured: 0n,
  capturing: 0n,
  refunded: 0n,
  refunding: 0n,
  canceling: false,
  declineCode: "",
  processorReference: "",
  nextAction: undefined,
  authorizationExpireTime: undefined,
  lookTime: undefined,
};

/** A payment as it is when its creation begins. */
export function newPayment(
  { tenant, id }: Pick<Payment, "tenant" | "id">,
  terms: PaymentTerms,
  time: Date,
): Payment {
  return { tenant, id, ...terms, ...initialState, createTime: time, updateTime: time };
}

/** Sets aside what an admitted operation needs until the processor has answered. No transition. */
export function reserve(payment: Payment, { kind, minorUnits }: Asked): Payment {
  switch (kind) {
    case "create":
      return payment;
    case "capture":
      return { ...payment, capturing: payment.capturing + minorUnits };
    case "refund":
      return { ...payment, refunding: payment.refunding + minorUnits };
    case "cancel":
      return { ...payment, canceling: true };
  }
}

/** The payment as it is once the call that creates it begins again. */
export function restart(payment: Payment): Payment {
  if (payment.declineCode !== NOT_EXECUTED) {
    throw new Error("a payment that the processor declined cannot begin again");
  }
  return move(payment, { status: "PROCESSING", declineCode: "" });
}

/** Sets aside another amount than the one that an operation had reserved. */
export function reserveAnew(payment: Payment, asked: Asked, minorUnits: bigint): Payment {
  return reserve(free(payment, asked), { ...asked, minorUnits });
}

/** When an answer came, and what follows from that. */
export interface Settling {
  readonly time: Date;
  /** The time for which a payment waits for its customer. Milliseconds. */
  readonly actionTimeoutMs: number;
}

/** The time for which a payment waits for its customer, unless told otherwise. Milliseconds: an hour. */
export const ACTION_TIMEOUT_MS = 3_600_000;

/** After how long to look first whether the customer has acted. Milliseconds. */
const FIRST_LOOK_MS = 2_000;

/** Applies the processor's answer to the payment that the operation had reserved on. */
export function settle(
  payment: Payment,
  asked: Asked,
  decision: ProcessorDecision,
  { time = payment.updateTime, actionTimeoutMs = ACTION_TIMEOUT_MS }: Partial<Settling> = {},
): Payment {
  const { kind, minorUnits } = asked;
  if (decision.kind === "requires_action") {
    if (kind !== "create") {
      throw new Error(`the processor wants the customer to act for a ${kind}`);
    }
    return move(payment, {
      status: "REQUIRES_ACTION",
      processorReference: decision.reference ?? "",
      nextAction: { ...decision.nextAction, expireTime: after(time, actionTimeoutMs) },
      lookTime: after(time, Math.min(FIRST_LOOK_MS, actionTimeoutMs)),
    });
  }
  if (decision.kind === "declined") {
    return kind === "create"
      ? move(payment, { status: "DECLINED", declineCode: decision.declineCode })
      : free(payment, asked);
  }
  switch (kind) {
    case "create": {
      const authorized = {
        authorized: minorUnits,
        processorReference: decision.reference ?? payment.processorReference,
      };
      return payment.captureMethod === "AUTOMATIC"
        ? move(payment, { status: "CAPTURED", ...authorized, captured: minorUnits })
        : move(payment, {
            status: "AUTHORIZED",
            ...authorized,
            authorizationExpireTime: decision.expireTime,
            lookTime: decision.expireTime,
          });
    }
    case "capture": {
      const captured = payment.captured + minorUnits;
      const status = captured === payment.authorized ? "CAPTURED" : "PARTIALLY_CAPTURED";
      return move(free(payment, asked), { status, captured });
    }
    case "refund":
      return {
        ...free(payment, asked),
        refunded: payment.refunded + minorUnits,
        version: payment.version + 1n,
      };
    case "cancel":
      return move(free(payment, asked), { status: "CANCELED" });
  }
}

/** An authorization has ended without an operation of ours: the acquirer gave it up. */
export function endAuthorization(payment: Payment, reason: string): Payment {
  return payment.status === "AUTHORIZED"
    ? move(payment, { status: "CANCELED", declineCode: reason })
    : { ...payment, lookTime: undefined };
}

/** The processor was asked to create the payment and its answer is not known. */
export function toUnknown(payment: Payment): Payment {
  return payment.status === "UNKNOWN" ? payment : move(payment, { status: "UNKNOWN" });
}

function free(payment: Payment, { kind, minorUnits }: Asked): Payment {
  switch (kind) {
    case "create":
      return payment;
    case "capture":
      return { ...payment, capturing: payment.capturing - minorUnits };
    case "refund":
      return { ...payment, refunding: payment.refunding - minorUnits };
    case "cancel":
      return { ...payment, canceling: false };
  }
}

function move(
  payment: Payment,
  change: Partial<PaymentState> & { readonly status: PaymentStatus },
): Payment {
  if (!isEdge(payment.status, change.status)) {
    throw new Error(`a payment cannot go from ${payment.status} to ${change.status}`);
  }
  const { authorizationExpireTime } = isOpen(change.status) ? payment : initialState;
  return {
    ...payment,
    nextAction: undefined,
    authorizationExpireTime,
    // Of what is captured in part nothing is to be found: nothing more of it is captured past its time.
    lookTime: undefined,
    ...change,
    version: payment.version + 1n,
  };
}

/** Returns true if something is reserved that is not captured yet. */
function isOpen(status: PaymentStatus): boolean {
  return status === "AUTHORIZED" || status === "PARTIALLY_CAPTURED";
}

function after(time: Date, milliseconds: number): Date {
  return new Date(time.getTime() + milliseconds);
}
