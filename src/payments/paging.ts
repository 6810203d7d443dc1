import { numberIn, type Page, PageError, readPage as readPageOf } from "../runtime/paging.js";
import { invalid } from "./errors.js";

/** A request for a page, as the requests of all lists are. */
export interface PageRequest {
  readonly pageSize: number;
  readonly pageToken: string;
}

/**
 * Reads the page that a request asks for, of a list that is ordered by a number.
 * @throws CallError FIELD_INVALID.
 */
export function readPage(request: PageRequest, filter: readonly string[]): Page<bigint> {
  return readPageAt(request, filter, numberIn);
}

/**
 * Reads the page that a request asks for. `cursorIn` makes a cursor of its text, where it is one.
 * @throws CallError FIELD_INVALID.
 */
export function readPageAt<Cursor>(
  request: PageRequest,
  filter: readonly string[],
  cursorIn: (text: string) => Cursor | undefined,
): Page<Cursor> {
  try {
    return readPageOf(request, filter, cursorIn);
  } catch (error) {
    throw error instanceof PageError ? invalid("FIELD_INVALID", error.field, error.accepts) : error;
  }
}

/** The cursor of a list that is ordered by a time and by a name, as its token holds it. */
export function timedCursor(cursor: { readonly micros: bigint; readonly name: string }): string {
  return `${cursor.micros}.${cursor.name}`;
}

/** @param namePattern what a name of the list looks like. */
export function timedCursorIn(
  text: string,
  namePattern: RegExp,
): { readonly micros: bigint; readonly name: string } | undefined {
  const { micros, name } = /^(?<micros>[0-9]{1,18})\.(?<name>.+)$/.exec(text)?.groups ?? {};
  return micros === undefined || name === undefined || !namePattern.test(name)
    ? undefined
    : { micros: BigInt(micros), name };
}
