import { ClaimLost } from "../../idempotency/answers/errors.js";
import { okOutcome } from "../../idempotency/port/outcome.js";
import { type Settled, settled } from "../../runtime/batches.js";
import { bigint, boolean, bytea, columns, text, timestamptz } from "../../runtime/columns.js";
import type { OwnedWork } from "../../runtime/owned-work.js";
import { type Ended, endWithDecision } from "../end-operation.js";
import { databaseTimeAt, type ReadMoment } from "../key-window.js";
import { movedBy } from "../ledger.js";
import { encodePayment } from "../messages.js";
import { isAnswered, type Operated } from "../operation.js";
import type { ProcessorDecision } from "../processor.js";
import type { Begun } from "./begin.js";
import type { Owned, WriteOwned } from "./owners.js";

/** An operation that the processor has decided. */
export interface Finishing extends Owned {
  /** The operation as it began, and its payment as it was then. */
  readonly begun: Begun;
  readonly decision: ProcessorDecision;
  /** The amount of the decision, where it is not the one that the operation had reserved. */
  readonly minorUnits?: bigint | undefined;
  /** The serialized answer, to be stored with the work. Absent where the answer is an error. */
  readonly respond: (operated: Operated) => Uint8Array | undefined;
}

/** An operation that is finished, and its answer as it is stored. */
export interface Finished extends Operated {
  readonly body: Uint8Array | undefined;
}

/** What a finished operation writes. */
interface Plan extends Ended {
  readonly body: Uint8Array | undefined;
  /** The payment that this was decided from. */
  readonly before: Operated["payment"];
}

/**
 * The number of times that an operation is planned anew because its payment has changed.
 * Each time another operation on it has been written, and of those that are
 * under way each process writes one at a time.
 */
const MAX_PLANS = 20;

/** What finishing needs of the database. */
export interface FinishOptions {
  /** Writes rows for owners, in one statement. */
  readonly write: WriteOwned;
  /** Reads operations and their payments as they are now, by position. */
  readonly readAgain: (finishing: readonly Finishing[]) => Promise<readonly Operated[]>;
  readonly readMoment: ReadMoment;
}

/**
 * Stores what the processor decided, and all that follows from it, the answers
 * among it. It is planned from the payment as it was when the operation began,
 * which is read again only where another operation has changed it meanwhile.
 */
export async function finishAll(
  { write, readAgain, readMoment }: FinishOptions,
  finishing: readonly Finishing[],
): Promise<readonly Settled<Finished>[]> {
  const results = new Map<number, Settled<Finished>>();
  let asked = finishing.map((item, index) => ({ item, index, known: item.begun as Operated }));
  for (let round = 1; asked.length > 0; round += 1) {
    const now = readMoment();
    const planned = asked.map((one) => ({ ...one, plan: settled(() => planOf(one, now)) }));
    const writing = planned.flatMap(({ plan, ...one }) =>
      plan.ok ? [{ ...one, plan: plan.value }] : [],
    );
    const written = await write(
      FINISH,
      writing.map(({ item: { execution }, plan: { body } }) => ({
        execution,
        ...(body === undefined ? {} : { outcome: okOutcome(body) }),
      })),
      valuesOf(writing.map(({ plan }) => plan)),
    );
    writing.forEach(({ index, plan }, at) => {
      if (written[at] === "written") {
        results.set(index, { ok: true, value: plan });
      } else if (written[at] === "lost") {
        results.set(index, { ok: false, error: new ClaimLost() });
      }
    });
    for (const { index, plan } of planned) {
      // What was known at first may be no reason to fail.
      if (!plan.ok && round > 1) {
        results.set(index, plan);
      }
    }
    const refused = asked.filter(({ index }) => !results.has(index));
    if (refused.length > 0 && round === MAX_PLANS) {
      throw new Error(`a payment has changed ${MAX_PLANS} times while its operation was finished`);
    }
    const found = refused.length === 0 ? [] : await readAgain(refused.map(({ item }) => item));
    asked = refused.flatMap((one, at) => {
      const known = found[at];
      return known === undefined ? [] : [{ ...one, known }];
    });
  }
  return finishing.map((_, index) => results.get(index) ?? NO_RESULT);
}

const NO_RESULT: Settled<never> = {
  ok: false,
  error: new Error("the operation to be finished is not there"),
};

function planOf(
  { item, known }: { readonly item: Finishing; readonly known: Operated },
  now: ReturnType<ReadMoment>,
): Plan {
  const { begun, decision, minorUnits, respond } = item;
  if (isAnswered(known.operation)) {
    throw new Error("an operation that has an answer keeps it");
  }
  const locked = { payment: known.payment, time: databaseTimeAt(begun, now) };
  const ended = endWithDecision(begun.operation, locked, { decision, minorUnits });
  return { ...ended, before: known.payment, body: respond(ended) };
}

/**
 * Locks payments after claims, and writes only where the payment is as it was
 * planned from, by what others can change, and the operation has no answer yet.
 * The two entries of a booking are made here, so that they cannot differ.
 */
const FINISH: OwnedWork = {
  name: "payments_finish",
  columns: [
    "payment_id text",
    "from_version bigint",
    "from_capturing bigint",
    "from_refunding bigint",
    "from_canceling boolean",
    "status text",
    "version bigint",
    "authorized bigint",
    "captured bigint",
    "capturing bigint",
    "refunded bigint",
    "refunding bigint",
    "canceling boolean",
    "decline_code text",
    "update_time timestamptz",
    "moved boolean",
    "event bytea",
    "operation_id text",
    "operation_state text",
    "operation_decline_code text",
    "finish_time timestamptz",
    "minor_units bigint",
    "currency_code text",
    "booked bigint",
  ],
  tables: `
locked AS MATERIALIZED (
  SELECT owned.* FROM owned JOIN payments AS p ON p.tenant = owned.tenant AND p.id = owned.payment_id
  WHERE p.version = owned.from_version AND p.capturing = owned.from_capturing
    AND p.refunding = owned.from_refunding AND p.canceling = owned.from_canceling
  ORDER BY p.tenant, p.id
  FOR NO KEY UPDATE OF p
), finished AS (
  UPDATE operations AS o
  SET state = locked.operation_state, decline_code = locked.operation_decline_code,
    finish_time = locked.finish_time, minor_units = locked.minor_units
  FROM locked
  WHERE o.tenant = locked.tenant AND o.id = locked.operation_id AND o.finish_time IS NULL
  RETURNING locked.*
), written AS (
  UPDATE payments AS p
  SET status = after.status, version = after.version, authorized = after.authorized,
    captured = after.captured, capturing = after.capturing, refunded = after.refunded,
    refunding = after.refunding, canceling = after.canceling, decline_code = after.decline_code,
    update_time = after.update_time
  FROM finished AS after
  WHERE p.tenant = after.tenant AND p.id = after.payment_id
  RETURNING after.*
), transitions AS (
  INSERT INTO payment_events (tenant, payment_id, version, payment)
  SELECT tenant, payment_id, version, event FROM written WHERE moved
), booked AS (
  INSERT INTO ledger_entries
    (tenant, transaction_id, payment_id, currency_code, account, minor_units)
  SELECT tenant, operation_id, payment_id, currency_code, account, sign * booked
  FROM written, (VALUES ('processor_receivable', 1), ('merchant_payable', -1)) AS side (account, sign)
  WHERE booked <> 0
)`,
};

function valuesOf(plans: readonly Plan[]): readonly Buffer[] {
  return columns(
    plans,
    text(({ payment }) => payment.id),
    bigint(({ before }) => before.version),
    bigint(({ before }) => before.capturing),
    bigint(({ before }) => before.refunding),
    boolean(({ before }) => before.canceling),
    text(({ payment }) => payment.status),
    bigint(({ payment }) => payment.version),
    bigint(({ payment }) => payment.authorized),
    bigint(({ payment }) => payment.captured),
    bigint(({ payment }) => payment.capturing),
    bigint(({ payment }) => payment.refunded),
    bigint(({ payment }) => payment.refunding),
    boolean(({ payment }) => payment.canceling),
    text(({ payment }) => payment.declineCode),
    timestamptz(({ payment }) => payment.updateTime),
    boolean(({ moved }) => moved),
    bytea(({ payment, moved }) => (moved ? encodePayment(payment) : NO_EVENT)),
    text(({ operation }) => operation.id),
    text(({ operation }) => operation.state),
    text(({ operation }) => operation.declineCode),
    timestamptz(({ operation }) => operation.finishTime),
    bigint(({ operation }) => operation.minorUnits),
    text(({ operation }) => operation.currencyCode),
    bigint(({ operation, payment }) =>
      operation.state === "approved" ? movedBy(operation, payment) : 0n,
    ),
  );
}

const NO_EVENT = new Uint8Array();
