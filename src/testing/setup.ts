import type { Money } from "../payments/money.js";
import type { Processor, ProcessorTraits } from "../payments/processor.js";

/** An effect at the acquirer, whatever it has answered. */
export interface DoubleEffect {
  /** `charge` is an authorization and its capture in one. */
  readonly kind: "authorize" | "charge" | "capture" | "void" | "refund";
  /** In the minor units of ISO 4217, as the acquirer understands what it was sent. Absent for a void. */
  readonly amount?: Money;
}

/** The names that an effect was sent with. */
export interface PaymentNames {
  readonly tenant: string;
  readonly paymentId: string;
}

/**
 * A fault of the acquirer or of the way to it. It meets the next call, or the
 * next `times` of them, that ask for an effect; a look-up meets only the last
 * kind.
 */
export type ProcessorFault =
  /** Ends the connection without an answer. After: once the effect is there. */
  | { readonly kind: "drop_before" | "drop_after"; readonly times?: number }
  /** Answers with an HTTP status, or what says the same. After: once the effect is there. */
  | {
      readonly kind: "error_before" | "error_after";
      readonly status: 409 | 429 | 500 | 503;
      readonly times?: number;
    }
  /** Waits, and goes on even if nobody waits with it. After: once the effect is there. */
  | {
      readonly kind: "delay_before" | "delay_after";
      readonly delayMs: number;
      readonly times?: number;
    }
  /** Forgets the key of the next call first, as if its window had passed. */
  | { readonly kind: "forget_key" }
  /** Finds nothing in the next look-ups. */
  | { readonly kind: "hide_from_look_up"; readonly times: number };

export type FaultKind = ProcessorFault["kind"];

/** The stand-in for the acquirer that the suite looks at and disturbs. */
export interface ProcessorDouble {
  /** Returns the effects that there really are for a payment, in their order: two charges are two. */
  effectsOf(payment: PaymentNames): Promise<readonly DoubleEffect[]>;
  /** Arms faults, in place of what is left of those before. */
  arm(faults: readonly ProcessorFault[]): Promise<void>;
}

export interface ProcessorUnderTest {
  readonly processor: Processor;
  readonly double: ProcessorDouble;
  close(): Promise<void>;
}

/** The payment methods by what the double does with them. */
export interface PaymentMethods {
  readonly approved: string;
  /** Undefined where the double has none. */
  readonly insufficientFunds: string | undefined;
  /** Declined for no particular reason. */
  readonly declined: string | undefined;
  /** One that does not exist. */
  readonly unknown: string | undefined;
  /** One whose customer has to act before it is approved, as for 3-D Secure. */
  readonly requiresAction: string | undefined;
}

export interface ProcessorContractSetup {
  /** What the adapter declares. */
  readonly traits: ProcessorTraits;
  /** Opens the adapter against a double that has no faults armed. Each case opens one of its own. */
  readonly open: () => Promise<ProcessorUnderTest>;
  /** The longest time that one call of the adapter takes. Cases wait longer than that. Milliseconds. */
  readonly timeoutMs: number;
  readonly paymentMethods: PaymentMethods;
  /** The faults that the double cannot bring about. Their cases are named as not run. */
  readonly cannot: readonly FaultKind[];
  /** False if the adapter has no `listPayments`. */
  readonly lists?: boolean;
  /** The longest time for which a case repeats an operation, or looks. Milliseconds; default: 10,000. */
  readonly patienceMs?: number;
}
