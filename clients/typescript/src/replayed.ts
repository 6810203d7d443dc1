import { REPLAYED_ENTRY } from "./names.js";

/** Headers of Connect or fetch, or metadata of grpc-js. */
export interface ReadableEntries {
  get(name: string): unknown;
}

/**
 * Returns true if an answer was given before: looks for `idempotency-replayed` in the
 * headers of an OK, or in the metadata of an error.
 */
export function isReplayed(entries: ReadableEntries): boolean {
  const [name, value] = REPLAYED_ENTRY;
  return [entries.get(name)].flat().includes(value);
}
