import { columns, text } from "../../runtime/columns.js";
import type { OwnedWork } from "../../runtime/owned-work.js";
import { databaseTimeAt, type ReadMoment } from "../key-window.js";
import type { Operated } from "../operation.js";
import { toUnknown } from "../state.js";
import type { Begun } from "./begin.js";
import { type FindOperated, sinceBegun } from "./find-operated.js";
import type { Owned, WriteOwned } from "./owners.js";
import {
  CHANGE_COLUMNS,
  changeColumns,
  LOCKED,
  type PaymentChange,
  writtenFrom,
} from "./payment-change.js";
import type { PlannedStep } from "./planned-step.js";

/** An operation whose processor was asked and did not answer. */
export interface Unanswered extends Owned {
  readonly begun: Begun;
}

/** Stores that the processor's answers are not known. What is reserved stays so. */
export function createUnknownStep({
  write,
  findOperated,
  readMoment,
}: {
  readonly write: WriteOwned;
  readonly findOperated: FindOperated;
  readonly readMoment: ReadMoment;
}): PlannedStep<Unanswered, Operated, PaymentChange & Operated> {
  return {
    ...sinceBegun(findOperated),

    plan({ begun }, { operation, payment: before }) {
      const after = operation.kind === "create" ? toUnknown(before) : before;
      const moved = after !== before;
      const updateTime = moved ? databaseTimeAt(begun, readMoment()) : before.updateTime;
      return { operation, before, payment: { ...after, updateTime }, moved };
    },

    write: (planned) =>
      write(
        UNKNOWN,
        planned.map(({ item: { execution } }) => ({ execution })),
        unknownColumns(planned.map(({ plan }) => plan)),
      ),
  };
}

const UNKNOWN: OwnedWork = {
  name: "payments_unknown",
  columns: [...CHANGE_COLUMNS, "operation_id text"],
  tables: `${LOCKED}, ${writtenFrom("locked")}, unknown AS (
  UPDATE operations AS o SET state = 'unknown' FROM written
  WHERE o.tenant = written.tenant AND o.id = written.operation_id AND o.finish_time IS NULL
)`,
};

function unknownColumns(marked: readonly (PaymentChange & Operated)[]): readonly Buffer[] {
  return [
    ...changeColumns(marked),
    ...columns(
      marked,
      text(({ operation }) => operation.id),
    ),
  ];
}
