import { bookingsOf } from "../../payments/ledger.js";
import { type Check, checkEach, paymentText, together } from "../check.js";
import type { AuditedEntry, AuditedPayment } from "../facts.js";
import { groupBy, type IndexedFacts, nameOf } from "../index-facts.js";

/** That entries are never changed shows in what they say: each operation's are made anew and compared. */
export const ledger: Check = {
  id: "I4",
  title: "entries sum to zero per transaction and currency, and payments equal their replay",
  needsCalls: false,
  check: (facts) =>
    together(
      checkEach(
        facts.entriesByTransaction.values(),
        ([entry]) => `transaction ${entry?.transactionId} of ${entry?.tenant}`,
        (entries) => problemsOfTransaction(facts, entries),
      ),
      checkEach(facts.payments, paymentText, (payment) => problemsOfPayment(facts, payment)),
    ),
};

function* problemsOfTransaction(
  facts: IndexedFacts,
  entries: readonly AuditedEntry[],
): Iterable<string> {
  for (const [currencyCode, ofCurrency] of groupBy(entries, (entry) => entry.currencyCode)) {
    const total = sum(ofCurrency);
    if (total !== 0n) {
      yield `sums to ${total} ${currencyCode}`;
    }
  }
  const [first] = entries;
  const operation = first && facts.operationByName.get(nameOf(first.tenant, first.transactionId));
  const payment =
    operation && facts.paymentByName.get(nameOf(operation.tenant, operation.paymentId));
  if (operation?.state !== "approved" || payment === undefined) {
    yield "was booked without an approved operation on a payment";
    return;
  }
  const { paymentId, currencyCode } = operation;
  const expected = bookingsOf(operation, payment).map((booking) =>
    bookingText({ ...booking, paymentId, currencyCode }),
  );
  if (expected.sort().join() !== entries.map(bookingText).sort().join()) {
    yield "does not hold what its operation books";
  }
}

function* problemsOfPayment(facts: IndexedFacts, payment: AuditedPayment): Iterable<string> {
  const { tenant, id, captured, refunded } = payment;
  const entries = facts.entriesByPayment.get(nameOf(tenant, id)) ?? [];
  const receivable = entries.filter(({ account }) => account === "processor_receivable");
  const debits = sum(receivable.filter(({ minorUnits }) => minorUnits > 0n));
  const credits = sum(receivable.filter(({ minorUnits }) => minorUnits < 0n));
  if (captured !== debits || refunded !== -credits) {
    yield `says captured ${captured} and refunded ${refunded}, its entries ${debits} and ${-credits}`;
  }
}

function bookingText({
  paymentId,
  account,
  currencyCode,
  minorUnits,
}: Pick<AuditedEntry, "paymentId" | "account" | "currencyCode" | "minorUnits">): string {
  return [paymentId, account, currencyCode, minorUnits].join(" ");
}

function sum(entries: readonly AuditedEntry[]): bigint {
  return entries.reduce((total, { minorUnits }) => total + minorUnits, 0n);
}
