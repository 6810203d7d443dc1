import { bigint, bytea, columns, smallint, text, timestamptz } from "../../runtime/columns.js";
import type { BeginPlan } from "./begin.js";
import { mustExist } from "./rows.js";

/** The columns of `newOperationColumns`. The rows also name their payments, as `payment_id`. */
export const NEW_OPERATION_COLUMNS = [
  "operation_id text",
  "processor_key text",
  "kind text",
  "minor_units bigint",
  "currency_code text",
  "begin_time timestamptz",
  "fingerprint_version smallint",
  "fingerprint bytea",
  "raw_hash bytea",
  "refund_id text",
] as const;

export function newOperationColumns(
  plans: readonly Pick<BeginPlan, "operation">[],
): readonly Buffer[] {
  const operations = plans.map(({ operation }) => operation);
  const fingerprints = operations.map(({ fingerprint }) =>
    mustExist(fingerprint, "the request of an operation"),
  );
  return [
    ...columns(
      operations,
      text(({ id }) => id),
      text(({ processorKey }) => processorKey),
      text(({ kind }) => kind),
      bigint(({ minorUnits }) => minorUnits),
      text(({ currencyCode }) => currencyCode),
      timestamptz(({ beginTime }) => beginTime),
    ),
    ...columns(
      fingerprints,
      smallint(({ version }) => version),
      bytea(({ canonical }) => canonical),
      bytea(({ raw }) => raw),
    ),
    ...columns(
      operations,
      text(({ refundId = "" }) => refundId),
    ),
  ];
}

/** `begun`: stores the operations of the rows `from`. None begins later than the database says that it is. */
export const begunFrom = (from: string) => `
begun AS (
  INSERT INTO operations (tenant, id, processor_key, payment_id, kind, minor_units, currency_code,
    begin_time, fingerprint_version, fingerprint, raw_hash, refund_id)
  SELECT tenant, operation_id, processor_key, payment_id, kind, minor_units, currency_code,
    least(begin_time, clock_timestamp()), fingerprint_version, fingerprint, raw_hash,
    nullif(refund_id, '')
  FROM ${from}
)`;
