/** The parameters of a statement whose text depends on what is asked for. */
export interface Parameters {
  readonly values: readonly unknown[];
  /** Adds a value, and returns what stands for it in the text. */
  add(value: unknown): string;
}

export function createParameters(): Parameters {
  const values: unknown[] = [];
  return {
    values,
    add: (value) => `$${values.push(value)}`,
  };
}

/** A time in microseconds since 1970, as Postgres keeps it: exact, and in no session's style. */
export function timeOf(microsParameter: string): string {
  return `(timestamptz 'epoch' + ${microsParameter}::bigint * interval '1 microsecond')`;
}

/** The microseconds since 1970 of a time. pg gives bigint as text. */
export function microsOf(column: string): string {
  return `(extract(epoch FROM ${column}) * 1000000)::bigint`;
}
