import { createHash, randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { ask } from "../payments/ask-processor.js";
import { createKeyWindow, keyWindowOf, readMoment } from "../payments/key-window.js";
import type { Money } from "../payments/money.js";
import type { Operation, OperationKind } from "../payments/operation.js";
import type { Payment } from "../payments/payment.js";
import type { Processor, ProcessorDecision } from "../payments/processor.js";
import { askingOf, isPastWindow } from "../payments/repetition.js";
import { newPayment } from "../payments/state.js";
import type { PaymentNames } from "./setup.js";

/** What became of an operation. */
export type Settled =
  | { readonly kind: "decided"; readonly decision: ProcessorDecision }
  /** It is not asked for any more: a person decides. */
  | { readonly kind: "held"; readonly cause: unknown }
  /** It was repeated for as long as the suite is patient. */
  | { readonly kind: "unknown"; readonly cause: unknown };

/** A payment of the suite's own. */
export interface TestPayment extends PaymentNames {
  /** Its authorization's reference, once it is approved. */
  reference?: string;
  readonly amount: Money;
  readonly paymentMethod: string;
  readonly capture: boolean;
}

/** Carries operations to their answers as the service does, by what the adapter declares. */
export interface Operator {
  /** Repeats an operation until it is decided or held. Without an amount: that of the payment. */
  settle(payment: TestPayment, kind: OperationKind, amount?: Money): Promise<Settled>;
}

const FIRST_DELAY_MS = 20;
const LONGEST_DELAY_MS = 200;

/** Returns a processor key that no call had before. */
export function newKey(): string {
  return `pk_${newDigits()}`;
}

/** Returns a name for a payment that none had before. */
export function newPaymentId(): string {
  return `pay_${newDigits()}`;
}

function newDigits(): string {
  return createHash("sha1").update(randomUUID()).digest("hex");
}

export interface OperatorOptions {
  readonly processor: Processor;
  readonly timeoutMs: number;
  readonly patienceMs: number;
}

export function createOperator({ processor, timeoutMs, patienceMs }: OperatorOptions): Operator {
  const keyWindow = createKeyWindow({
    windowMs: keyWindowOf(processor),
    longestCallMs: timeoutMs,
  });
  const repeating = {
    processor,
    keyWindow,
    lostRows: { arePossible: () => false, areVisible: () => true },
  };

  return {
    async settle(payment, kind, amount = payment.amount) {
      const readAt = readMoment();
      const operated = { operation: operationOf(payment, kind, amount), payment: stored(payment) };
      let delayMs = FIRST_DELAY_MS;
      for (let isNew = true; ; isNew = false) {
        const attempt = { isNew, begunAgoMs: 0, readAt };
        if (isPastWindow(attempt, repeating)) {
          return { kind: "held", cause: new Error("its key may be forgotten") };
        }
        const answer = await ask(
          processor,
          operated,
          askingOf(attempt, repeating, () => false),
        );
        if (answer.kind === "decided") {
          const { decision } = answer;
          if (kind === "create" && decision.kind === "approved" && decision.reference) {
            payment.reference = decision.reference;
          }
          return { kind: "decided", decision };
        }
        if (answer.isFinal) {
          return { kind: "held", cause: answer.cause };
        }
        if (readMoment().monotonicMs - readAt.monotonicMs > patienceMs) {
          return { kind: "unknown", cause: answer.cause };
        }
        await sleep(delayMs);
        delayMs = Math.min(2 * delayMs, LONGEST_DELAY_MS);
      }
    },
  };
}

function operationOf(
  { tenant, paymentId }: TestPayment,
  kind: OperationKind,
  amount: Money,
): Operation {
  return {
    tenant,
    id: `op_${newDigits()}`,
    processorKey: newKey(),
    paymentId,
    kind,
    ...amount,
    state: "pending",
    declineCode: "",
    beginTime: new Date(),
  };
}

/** Returns the payment as the service has it stored. */
function stored({ tenant, paymentId, amount, reference, ...rest }: TestPayment): Payment {
  const terms = {
    ...amount,
    paymentMethod: rest.paymentMethod,
    captureMethod: rest.capture ? ("AUTOMATIC" as const) : ("MANUAL" as const),
    merchantReference: "",
    description: "",
    metadata: {},
  };
  const payment = newPayment({ tenant, id: paymentId }, terms, new Date());
  return { ...payment, processorReference: reference ?? "" };
}
