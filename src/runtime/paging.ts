import { createHash } from "node:crypto";

// The sizes that the schemas promise. The bound keeps one page within one gRPC message.
const DEFAULT_PAGE_SIZE = 50;
const MAX_PAGE_SIZE = 1_000;

/** One page of a list (https://google.aip.dev/158). */
export interface Page<Cursor> {
  readonly size: number;
  /** The place at which the previous page ended. Absent: the first page. */
  readonly cursor?: Cursor;
}

/** A request for a page that no list has. */
export class PageError extends RangeError {
  override readonly name = "PageError";

  /** @param accepts continues the name of the field. */
  constructor(
    readonly field: "page_size" | "page_token",
    readonly accepts: string,
  ) {
    super(`${field} ${accepts}`);
  }
}

/**
 * Reads the page that a request asks for. `filter` is what the list is
 * narrowed by; a token works only with the filter it was made for.
 * @param cursorIn a cursor from its text, where it is one.
 * @throws PageError
 */
export function readPage<Cursor>(
  { pageSize, pageToken }: { readonly pageSize: number; readonly pageToken: string },
  filter: readonly string[],
  cursorIn: (text: string) => Cursor | undefined,
): Page<Cursor> {
  if (pageSize < 0 || pageSize > MAX_PAGE_SIZE) {
    throw new PageError("page_size", `must be 1 to ${MAX_PAGE_SIZE}, or absent`);
  }
  const size = pageSize || DEFAULT_PAGE_SIZE;
  if (pageToken === "") {
    return { size };
  }
  const [text = "", digest] = Buffer.from(pageToken, "base64url").toString().split(" ");
  const cursor = digest === digestOf(filter) ? cursorIn(text) : undefined;
  if (cursor === undefined) {
    throw new PageError(
      "page_token",
      "must come from the previous page of a list with the same filters",
    );
  }
  return { size, cursor };
}

/** The cursor of a list that is ordered by a number. */
export function numberIn(text: string): bigint | undefined {
  return /^[0-9]{1,18}$/.test(text) ? BigInt(text) : undefined;
}

/**
 * Cuts a page out of rows, of which the query was asked for one more than the
 * page holds, so that the last page is known to be the last.
 */
export function cutPage<Row>(
  rows: readonly Row[],
  { size }: Page<unknown>,
  token: { readonly filter: readonly string[]; readonly cursorOf: (row: Row) => bigint },
): { readonly rows: readonly Row[]; readonly nextPageToken: string } {
  const kept = rows.slice(0, size);
  const last = rows.length > size ? kept.at(-1) : undefined;
  return {
    rows: kept,
    nextPageToken: last === undefined ? "" : pageTokenOf(token.cursorOf(last), token.filter),
  };
}

/** The token of the page after a cursor, whose text has no space. */
export function pageTokenOf(cursor: bigint | string, filter: readonly string[]): string {
  return Buffer.from(`${cursor} ${digestOf(filter)}`).toString("base64url");
}

function digestOf(filter: readonly string[]): string {
  return createHash("sha256").update(JSON.stringify(filter)).digest("hex").slice(0, 16);
}
