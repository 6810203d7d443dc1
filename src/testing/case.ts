import { setTimeout as sleep } from "node:timers/promises";
import type { Money } from "../payments/money.js";
import type { AuthorizeRequest, Processor, ProcessorEffect } from "../payments/processor.js";
import { newKey, newPaymentId, type Operator, type TestPayment } from "./operator.js";
import type {
  DoubleEffect,
  FaultKind,
  PaymentMethods,
  PaymentNames,
  ProcessorContractSetup,
  ProcessorDouble,
} from "./setup.js";
import { must, mustEqual, show } from "./violation.js";

/** A condition of a case that the adapter or its double may not meet. */
export type Need = FaultKind | "keys" | "no keys" | "look-up" | "list" | keyof PaymentMethods;

export interface ContractCase {
  readonly name: string;
  readonly needs: readonly Need[];
  readonly run: (test: CaseUnderTest) => Promise<void>;
}

/** The adapter, its double, and what all cases do with them. */
export interface CaseUnderTest {
  readonly setup: ProcessorContractSetup;
  readonly patienceMs: number;
  readonly processor: Processor;
  readonly double: ProcessorDouble;
  readonly operator: Operator;
}

const TENANT = "contract";
export const eur = (minorUnits: bigint): Money => ({ currencyCode: "EUR", minorUnits });
export const AMOUNT = eur(1000n);

/** Returns a payment that nothing was sent for yet: 10 EUR, captured later, with a method that is approved. */
export function paymentOf(
  { setup }: CaseUnderTest,
  change: Partial<Pick<TestPayment, "amount" | "capture" | "paymentMethod">> = {},
): TestPayment {
  return {
    tenant: TENANT,
    paymentId: newPaymentId(),
    amount: AMOUNT,
    capture: false,
    paymentMethod: setup.paymentMethods.approved,
    ...change,
  };
}

/** Returns an authorization for a payment, under a key of its own. */
export function authorizationOf(payment: TestPayment): AuthorizeRequest {
  const { tenant, paymentId, amount, paymentMethod, capture } = payment;
  return { processorKey: newKey(), tenant, paymentId, amount, paymentMethod, capture };
}

/** Returns a payment that is approved already. */
export async function approvedPayment(
  test: CaseUnderTest,
  change: Partial<Pick<TestPayment, "amount" | "capture">> = {},
): Promise<TestPayment> {
  const payment = paymentOf(test, change);
  await mustApprove(test, payment, "create");
  return payment;
}

type SettleArguments = Parameters<Operator["settle"]>;

/** @throws ContractViolation unless an operation is approved. */
export async function mustApprove(
  { operator }: CaseUnderTest,
  ...[payment, kind, amount]: SettleArguments
): Promise<void> {
  const settled = await operator.settle(payment, kind, amount);
  must(
    settled.kind === "decided" && settled.decision.kind === "approved",
    `the ${kind} must be approved, and is ${show(settled)}`,
  );
}

/** @throws ContractViolation unless an operation is declined. */
export async function mustDecline(
  { operator }: CaseUnderTest,
  ...[payment, kind, amount]: SettleArguments
): Promise<void> {
  const settled = await operator.settle(payment, kind, amount);
  must(
    settled.kind === "decided" && settled.decision.kind === "declined",
    `the ${kind} must be declined, and is ${show(settled)}`,
  );
  must(settled.decision.declineCode !== "", `the decline of the ${kind} must have a code`);
}

/** @throws ContractViolation unless these are all effects that there are. */
export async function mustHaveEffects(
  { double }: CaseUnderTest,
  payment: PaymentNames,
  expected: readonly DoubleEffect[],
): Promise<void> {
  const { tenant, paymentId } = payment;
  const effects = await double.effectsOf({ tenant, paymentId });
  mustEqual(effects.map(plain), expected.map(plain), "the effects at the acquirer");
}

function plain({ kind, amount }: DoubleEffect) {
  return { kind, currencyCode: amount?.currencyCode, minorUnits: amount?.minorUnits };
}

/** Looks until something is found, for as long as the adapter declares that it takes. */
export async function lookUntilFound(
  { processor, setup: { traits, timeoutMs } }: CaseUnderTest,
  request: Parameters<Processor["lookUp"]>[0],
): Promise<ProcessorEffect | undefined> {
  const endMs = performance.now() + (traits.lookUp?.visibleAfterMs ?? 0);
  for (;;) {
    const isLast = performance.now() > endMs;
    const found = await processor.lookUp(request);
    if (found !== undefined || isLast) {
      return found;
    }
    await sleep(Math.min(50, timeoutMs));
  }
}
