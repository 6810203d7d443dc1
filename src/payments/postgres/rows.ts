/** @throws if a statement did not touch all the rows it was meant for. */
export function mustTouch(count: number, { rowCount }: { readonly rowCount: number | null }): void {
  if (rowCount !== count) {
    throw new Error(`expected ${count} rows, got ${rowCount}`);
  }
}

/** A name as the key of a map. An id alone may be another tenant's. */
export function nameKey({ tenant, id }: { readonly tenant: string; readonly id: string }): string {
  return `${tenant} ${id}`;
}

export function byName<Row extends { readonly tenant: string; readonly id: string }>(
  rows: readonly Row[],
): ReadonlyMap<string, Row> {
  return new Map(rows.map((row) => [nameKey(row), row]));
}

/** @throws if a row that the database vouches for is not there. */
export function mustExist<Row>(row: Row | undefined, what: string): Row {
  if (row === undefined) {
    throw new Error(`${what} that must exist is missing`);
  }
  return row;
}
