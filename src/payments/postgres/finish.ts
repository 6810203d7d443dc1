import { okOutcome } from "../../idempotency/port/outcome.js";
import { bigint, columns, text, timestamptz } from "../../runtime/columns.js";
import type { OwnedWork } from "../../runtime/owned-work.js";
import { type Ended, endWithDecision } from "../end-operation.js";
import { databaseTimeAt, type ReadMoment } from "../key-window.js";
import { movedBy } from "../ledger.js";
import { isAnswered, type Operated } from "../operation.js";
import type { ProcessorDecision } from "../processor.js";
import type { Begun } from "./begin.js";
import { type FindOperated, sinceBegun } from "./find-operated.js";
import type { Owned, WriteOwned } from "./owners.js";
import {
  BOOKED,
  CHANGE_COLUMNS,
  changeColumns,
  LOCKED,
  type PaymentChange,
  writtenFrom,
} from "./payment-change.js";
import type { PlannedStep } from "./planned-step.js";

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
export interface Finished extends Ended {
  readonly body: Uint8Array | undefined;
}

type FinishPlan = Finished & PaymentChange & Pick<Finishing, "decision">;

/**
 * Stores what the processor decided, and all that follows from it, the answers
 * among it. It is planned from the payment as it was when the operation began.
 */
export function createFinishStep({
  write,
  findOperated,
  readMoment,
  actionTimeoutMs,
}: {
  readonly write: WriteOwned;
  readonly findOperated: FindOperated;
  readonly readMoment: ReadMoment;
  readonly actionTimeoutMs: number;
}): PlannedStep<Finishing, Operated, FinishPlan> {
  return {
    ...sinceBegun(findOperated),

    plan({ begun, decision, minorUnits, respond }, { operation, payment: before }) {
      if (isAnswered(operation)) {
        throw new Error("an operation that has an answer keeps it");
      }
      const time = databaseTimeAt(begun, readMoment());
      const ended = endWithDecision(
        begun.operation,
        { payment: before, time },
        { decision, minorUnits, actionTimeoutMs },
      );
      return { ...ended, before, decision, body: respond(ended) };
    },

    write: (planned) =>
      write(
        FINISH,
        planned.map(({ item: { execution }, plan: { body } }) => ({
          execution,
          ...(body === undefined ? {} : { outcome: okOutcome(body) }),
        })),
        finishColumns(planned.map(({ plan }) => plan)),
      ),
  };
}

const FINISH: OwnedWork = {
  name: "payments_finish",
  columns: [
    ...CHANGE_COLUMNS,
    "operation_id text",
    "operation_state text",
    "operation_decline_code text",
    "operation_reference text",
    "evidence text",
    "finish_time timestamptz",
    "minor_units bigint",
    "currency_code text",
    "booked bigint",
  ],
  tables: `${LOCKED}, finished AS (
  UPDATE operations AS o
  SET state = locked.operation_state, decline_code = locked.operation_decline_code,
    processor_reference = locked.operation_reference, evidence = nullif(locked.evidence, '')::jsonb,
    finish_time = CASE locked.operation_state WHEN 'requires_action' THEN NULL ELSE locked.finish_time END,
    minor_units = locked.minor_units
  FROM locked
  -- An operation that has an answer keeps it.
  WHERE o.tenant = locked.tenant AND o.id = locked.operation_id AND o.state IN ('pending', 'unknown')
  RETURNING locked.*
), ${writtenFrom("finished")}, ${BOOKED}`,
};

function finishColumns(finished: readonly FinishPlan[]): readonly Buffer[] {
  return [
    ...changeColumns(finished),
    ...columns(
      finished,
      text(({ operation }) => operation.id),
      text(({ operation }) => operation.state),
      text(({ operation }) => operation.declineCode),
      text(({ decision }) => (decision.kind === "declined" ? "" : decision.reference) ?? ""),
      text(({ decision: { evidence } }) =>
        evidence === undefined ? "" : JSON.stringify(evidence),
      ),
      timestamptz(({ operation }) => operation.finishTime),
      bigint(({ operation }) => operation.minorUnits),
      text(({ operation }) => operation.currencyCode),
      bigint(({ operation, payment }) =>
        operation.state === "approved" ? movedBy(operation, payment) : 0n,
      ),
    ),
  ];
}
