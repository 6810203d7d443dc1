import { columns, text } from "../../runtime/columns.js";
import type { OwnedWork } from "../../runtime/owned-work.js";
import type { BeginPlan } from "./begin.js";
import { CREATIONS, creationColumns } from "./creations.js";
import { begunFrom, NEW_OPERATION_COLUMNS, newOperationColumns } from "./new-operations.js";
import { CHANGE_COLUMNS, changeColumns, LOCKED, writtenFrom } from "./payment-change.js";
import { mustExist } from "./rows.js";

/** A way in which operations begin, or go on. */
export interface BeginWork extends OwnedWork {
  /** Returns true if a plan is written in this way. Each plan is in one of them. */
  readonly isOf: (plan: BeginPlan) => boolean;
  readonly valuesOf: (plans: readonly BeginPlan[]) => readonly Buffer[];
}

/** Payments that are created, other than with their claims. */
const CREATE: BeginWork = {
  name: "payments_begin_creation",
  isOf: ({ begins, operation }) => begins === "first" && operation.kind === "create",
  columns: CREATIONS.columns,
  tables: `begins AS MATERIALIZED (SELECT * FROM owned), ${CREATIONS.tables.trim()},
written AS (SELECT * FROM begins)`,
  valuesOf: creationColumns,
};

/** Operations on payments, which reserve what they are about. */
const RESERVE: BeginWork = {
  name: "payments_begin_operation",
  isOf: ({ begins, operation }) => begins === "first" && operation.kind !== "create",
  columns: [...CHANGE_COLUMNS, ...NEW_OPERATION_COLUMNS],
  tables: `${LOCKED}, ${begunFrom("locked").trim()}, ${writtenFrom("locked")}`,
  valuesOf: (plans) => [...changesOf(plans), ...newOperationColumns(plans)],
};

/** Operations that were not executed, and begin again: see `firstSendingOf`. */
const RESTART: BeginWork = {
  name: "payments_begin_again",
  isOf: ({ begins }) => begins === "again",
  columns: [...CHANGE_COLUMNS, "operation_id text"],
  tables: `${LOCKED}, restarted AS (
  UPDATE operations AS o
  SET state = 'pending', decline_code = '', finish_time = NULL, begin_time = o.finish_time
  FROM locked
  WHERE o.tenant = locked.tenant AND o.id = locked.operation_id AND o.state = 'not_executed'
  RETURNING locked.*
), ${writtenFrom("restarted")}`,
  valuesOf: (plans) => [
    ...changesOf(plans),
    ...columns(
      plans,
      text(({ operation }) => operation.id),
    ),
  ],
};

/** Operations that have begun already: all that counts is whose they are now. */
const GO_ON: BeginWork = {
  name: "payments_go_on",
  isOf: ({ begins }) => begins === undefined,
  columns: [],
  tables: "written AS MATERIALIZED (SELECT * FROM owned)",
  valuesOf: () => [],
};

export const BEGIN_WORKS: readonly BeginWork[] = [CREATE, RESERVE, RESTART, GO_ON];

function changesOf(plans: readonly BeginPlan[]): readonly Buffer[] {
  return changeColumns(
    plans.map(({ payment, before: found }) => {
      const before = mustExist(found, "a payment");
      return { payment, before, moved: payment.version !== before.version };
    }),
  );
}
