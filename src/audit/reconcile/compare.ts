import type { PaymentStatus } from "../../payments/payment.js";
import type { ListedPayment } from "../../payments/processor.js";

/** A payment as the database has it. Sums are minor units. */
export interface OwnPayment {
  readonly tenant: string;
  readonly id: string;
  readonly status: PaymentStatus;
  readonly currencyCode: string;
  readonly authorized: bigint;
  readonly captured: bigint;
  readonly refunded: bigint;
  /** The processor's name for its authorization; empty where it gave none. */
  readonly reference: string;
  /** The money that the ledger says the processor owes for it. */
  readonly receivable: bigint;
  /** True if an operation on it has no answer yet, or got one while the processor's list was read. */
  readonly isMoving: boolean;
}

/** A way in which the processor's list and the database differ. */
export type DifferenceKind =
  /** The processor has it, and the database does not. */
  | "missing_here"
  /** The database has it, and the processor does not. */
  | "missing_there"
  /** The processor has more than one charge for it. */
  | "charged_twice"
  /** The database says that it was declined; the processor charged it. */
  | "declined_here"
  | "currency"
  | "authorized"
  | "captured"
  | "refunded"
  | "canceled"
  /** The ledger's balance is not what the processor has captured and not refunded. */
  | "ledger";

export interface Difference {
  readonly kind: DifferenceKind;
  readonly paymentId: string;
  /** Absent where the database does not have it. */
  readonly tenant?: string;
  /** The processor's names for it. */
  readonly references: readonly string[];
  /** What the database has, as text. */
  readonly here: string;
  /** What the processor has. */
  readonly there: string;
}

/** All charges that the processor has for one payment. */
export interface Charges {
  readonly paymentId: string;
  readonly charges: readonly ListedPayment[];
}

/** Puts the charges of each payment together, those of others apart. */
export function byPayment(listed: Iterable<ListedPayment>): {
  readonly payments: ReadonlyMap<string, Charges>;
  /** Charges that name no payment. */
  readonly others: number;
} {
  const payments = new Map<string, { paymentId: string; charges: ListedPayment[] }>();
  let others = 0;
  for (const charge of listed) {
    const { paymentId } = charge;
    if (paymentId === undefined) {
      others += 1;
      continue;
    }
    const known = payments.get(paymentId);
    if (known === undefined) {
      payments.set(paymentId, { paymentId, charges: [charge] });
    } else {
      known.charges.push(charge);
    }
  }
  return { payments, others };
}

/** Compares a payment with its charges. Either may be missing. A payment that is moving differs in nothing yet. */
export function compare(
  own: OwnPayment | undefined,
  charges: Charges | undefined,
): readonly Difference[] {
  if (own?.isMoving === true) {
    return [];
  }
  const listed = charges?.charges ?? [];
  const differs = (kind: DifferenceKind, here: unknown, there: unknown): Difference => ({
    kind,
    paymentId: own?.id ?? charges?.paymentId ?? "",
    ...(own === undefined ? {} : { tenant: own.tenant }),
    references: listed.map(({ reference }) => reference),
    here: String(here),
    there: String(there),
  });
  const [first] = listed;
  if (own === undefined) {
    return first === undefined ? [] : [differs("missing_here", "nothing", textOf(listed))];
  }
  if (own.status === "DECLINED") {
    return first === undefined ? [] : [differs("declined_here", own.status, textOf(listed))];
  }
  if (first === undefined) {
    // What has never been authorized need not be there.
    return own.authorized === 0n ? [] : [differs("missing_there", own.status, "nothing")];
  }
  // Also where the first charge is from another day, and not in this list.
  const others = listed.filter(
    ({ reference }) => own.reference !== "" && reference !== own.reference,
  );
  if (others.length > 0) {
    return [
      differs("charged_twice", own.reference, others.map(({ reference }) => reference).join(" ")),
    ];
  }
  const sums = sumsOf(listed);
  const isCanceled = listed.every((charge) => charge.isCanceled);
  const pairs: readonly (readonly [DifferenceKind, unknown, unknown])[] = [
    ["charged_twice", 1, listed.length],
    ["currency", own.currencyCode, first.currencyCode],
    ["authorized", own.authorized, sums.authorized],
    ["captured", own.captured, sums.captured],
    ["refunded", own.refunded, sums.refunded],
    ["canceled", own.status === "CANCELED", isCanceled],
    ["ledger", own.receivable, sums.captured - sums.refunded],
  ];
  return pairs
    .filter(([, here, there]) => here !== there)
    .map(([kind, here, there]) => differs(kind, here, there));
}

interface Sums {
  readonly authorized: bigint;
  readonly captured: bigint;
  readonly refunded: bigint;
}

function sumsOf(charges: readonly Sums[]): Sums {
  const sum = (of: (charge: Sums) => bigint) =>
    charges.reduce((total, charge) => total + of(charge), 0n);
  return {
    authorized: sum(({ authorized }) => authorized),
    captured: sum(({ captured }) => captured),
    refunded: sum(({ refunded }) => refunded),
  };
}

function textOf(charges: readonly ListedPayment[]): string {
  const { authorized, captured, refunded } = sumsOf(charges);
  return `authorized ${authorized}, captured ${captured}, refunded ${refunded}`;
}
