import { setTimeout as sleep } from "node:timers/promises";
import type { ListedPayment, TimeSpan } from "../../payments/processor.js";
import {
  AMOUNT,
  approvedPayment,
  type CaseUnderTest,
  type ContractCase,
  eur,
  mustApprove,
  mustDecline,
  paymentOf,
} from "../case.js";
import { must, mustEqual } from "../violation.js";

/** More than the clocks of an acquirer and of this machine differ by. Milliseconds. */
const MARGIN_MS = 5 * 60_000;
const LOOK_AGAIN_MS = 200;

/** The list that reconciliation compares with. */
export const listCases: readonly ContractCase[] = [
  {
    name: "a list has what was approved, once and with its sums, and nothing that was declined",
    needs: ["list", "insufficientFunds"],
    async run(test) {
      const since = new Date(Date.now() - MARGIN_MS);
      const paymentMethod = test.setup.paymentMethods.insufficientFunds ?? "";
      const declined = paymentOf(test, { paymentMethod });
      await mustDecline(test, declined, "create");
      const part = await approvedPayment(test);
      await mustApprove(test, part, "capture", eur(400n));
      const refunded = await approvedPayment(test, { capture: true });
      await mustApprove(test, refunded, "refund", eur(300n));
      const canceled = await approvedPayment(test);
      await mustApprove(test, canceled, "cancel");

      const created = { since, until: new Date(Date.now() + MARGIN_MS) };
      const listed = await listUntil(test, created, [part, refunded, canceled]);
      const own = listed.filter(({ paymentId }) => paymentId === declined.paymentId);
      mustEqual(own, [], "what the list has of a declined payment");
      const sums = (paymentId: string) =>
        listed.filter((each) => each.paymentId === paymentId).map(sumsOf);
      const { currencyCode, minorUnits: authorized } = AMOUNT;
      const whole = { currencyCode, authorized, refunded: 0n, isCanceled: false };
      mustEqual(sums(part.paymentId), [{ ...whole, captured: 400n }], "a payment captured in part");
      mustEqual(
        sums(refunded.paymentId),
        [{ ...whole, captured: authorized, refunded: 300n }],
        "a payment refunded in part",
      );
      mustEqual(
        sums(canceled.paymentId),
        [{ ...whole, captured: 0n, isCanceled: true }],
        "a payment that is given up",
      );
      const before = { since: new Date(0), until: since };
      const names = (await listOf(test, before)).map(({ paymentId }) => paymentId);
      must(!names.includes(part.paymentId), "a list must have nothing that was created after it");
    },
  },
];

async function listOf({ processor }: CaseUnderTest, created: TimeSpan): Promise<ListedPayment[]> {
  must(
    processor.listPayments !== undefined,
    "the adapter has no listPayments; the setup says so with lists: false",
  );
  const listed: ListedPayment[] = [];
  for await (const payment of processor.listPayments(created)) {
    listed.push(payment);
  }
  return listed;
}

/** Lists until all payments are there in their last state, as far as they come in time. */
async function listUntil(
  test: CaseUnderTest,
  created: TimeSpan,
  [part, refunded, canceled]: readonly { readonly paymentId: string }[],
): Promise<ListedPayment[]> {
  const endMs = performance.now() + test.patienceMs;
  for (;;) {
    const listed = await listOf(test, created);
    const find = (paymentId?: string) => listed.find((each) => each.paymentId === paymentId);
    const isComplete =
      (find(part?.paymentId)?.captured ?? 0n) > 0n &&
      (find(refunded?.paymentId)?.refunded ?? 0n) > 0n &&
      find(canceled?.paymentId)?.isCanceled === true;
    if (isComplete || performance.now() > endMs) {
      return listed;
    }
    await sleep(LOOK_AGAIN_MS);
  }
}

function sumsOf({ currencyCode, authorized, captured, refunded, isCanceled }: ListedPayment) {
  return { currencyCode, authorized, captured, refunded, isCanceled };
}
