/** The wire's statuses by name; so they are stored. */
export const paymentStatuses = [
  "PROCESSING",
  "AUTHORIZED",
  "PARTIALLY_CAPTURED",
  "CAPTURED",
  "DECLINED",
  "CANCELED",
  "UNKNOWN",
  "REQUIRES_ACTION",
] as const;

export type PaymentStatus = (typeof paymentStatuses)[number];

export type CaptureMethod = "AUTOMATIC" | "MANUAL";

/** The terms that the caller asked for. They never change. */
export interface PaymentTerms {
  readonly currencyCode: string;
  /** The amount that was asked for, in minor units, as are all sums of a payment. */
  readonly minorUnits: bigint;
  /** A token, never a card number. */
  readonly paymentMethod: string;
  readonly captureMethod: CaptureMethod;
  readonly merchantReference: string;
  readonly description: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/** What the customer has to do before a payment can go on. */
export interface NextAction {
  /** A page to send the customer to. */
  readonly redirectUrl?: string;
  /** What the processor's own library on the customer's side takes. Never to be logged. */
  readonly clientSecret?: string;
}

/** An action of the customer's that a payment waits for. */
export interface AwaitedAction extends NextAction {
  /** The time at which the payment is given up. */
  readonly expireTime: Date;
}

/** The part of a payment that operations change. */
export interface PaymentState {
  readonly status: PaymentStatus;
  /** 1 when created, one more with each transition. */
  readonly version: bigint;
  readonly authorized: bigint;
  readonly captured: bigint;
  /** Reserved by captures in flight: not captured, and not free for another capture. */
  readonly capturing: bigint;
  readonly refunded: bigint;
  /** Reserved by refunds in flight. */
  readonly refunding: bigint;
  /** A cancel is in flight. */
  readonly canceling: boolean;
  /** Empty unless the processor declined the payment. */
  readonly declineCode: string;
  /** The processor's own name for the authorization; empty where it gave none. */
  readonly processorReference: string;
  readonly nextAction: AwaitedAction | undefined;
  /** The time from which on nothing can be captured; undefined where the processor does not say. */
  readonly authorizationExpireTime: Date | undefined;
  /** The time at which to look at the processor what became of it, unless something happens before. */
  readonly lookTime: Date | undefined;
}

export interface Payment extends PaymentTerms, PaymentState {
  readonly tenant: string;
  readonly id: string;
  readonly createTime: Date;
  readonly updateTime: Date;
}
