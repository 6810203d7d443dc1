import { columns, text } from "../../runtime/columns.js";

/** The name of a row. An id alone is none: another tenant may have the same. */
export interface RowName {
  readonly tenant: string;
  readonly id: string;
}

/** The rows that a statement is asked for, `nameColumns` its first parameters. */
export const ASKED = "unnest($1::text[], $2::text[]) AS asked (tenant, id)";

export function nameColumns(names: readonly RowName[]): Buffer[] {
  return columns(
    names,
    text(({ tenant }) => tenant),
    text(({ id }) => id),
  );
}

/**
 * The rows of a tenant, in the order of their ids by the primary key, or those of
 * one payment, by the index that alone is of this collation.
 * @param add adds a parameter
 */
export function ofTenantOrPayment(
  { tenant, paymentId }: { readonly tenant: string; readonly paymentId?: string },
  add: (value: unknown) => string,
): string {
  return paymentId === undefined
    ? `tenant = ${add(tenant)}`
    : `tenant COLLATE "C" = ${add(tenant)} AND payment_id = ${add(paymentId)}`;
}

/** A name as the key of a map. The length keeps different names apart. */
export function nameKey({ tenant, id }: RowName): string {
  return `${tenant.length}:${tenant}${id}`;
}

export function byName<Row extends RowName>(rows: readonly Row[]): ReadonlyMap<string, Row> {
  return new Map(rows.map((row) => [nameKey(row), row]));
}

/** @throws if a row that the database vouches for is not there. */
export function mustExist<Row>(row: Row | undefined, what: string): Row {
  if (row === undefined) {
    throw new Error(`${what} that must exist is missing`);
  }
  return row;
}
