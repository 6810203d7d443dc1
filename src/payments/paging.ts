import { numberIn, type Page, PageError, readPage as readPageOf } from "../runtime/paging.js";
import { invalid } from "./errors.js";

/**
 * Reads the page that a request asks for, of a list that is ordered by a number.
 * @throws CallError FIELD_INVALID.
 */
export function readPage(
  request: { readonly pageSize: number; readonly pageToken: string },
  filter: readonly string[],
): Page<bigint> {
  try {
    return readPageOf(request, filter, numberIn);
  } catch (error) {
    throw error instanceof PageError ? invalid("FIELD_INVALID", error.field, error.accepts) : error;
  }
}
