import { createHash } from "node:crypto";
import { invalid } from "./errors.js";

// What the schema promises. The bound keeps one page within one gRPC message.
const DEFAULT_PAGE_SIZE = 50;
const MAX_PAGE_SIZE = 1000;

/** One page of a list that is ordered by a number (https://google.aip.dev/158). */
export interface Page {
  readonly size: number;
  /** Where the previous page ended. Absent: the first page. */
  readonly cursor?: bigint;
}

/**
 * Reads the page that a request asks for. `filter` is what the list is
 * narrowed by; a token works only with the filter it was made for.
 * @throws CallError FIELD_INVALID.
 */
export function readPage(
  request: { readonly pageSize: number; readonly pageToken: string },
  filter: readonly string[],
): Page {
  const { pageSize, pageToken } = request;
  if (pageSize < 0 || pageSize > MAX_PAGE_SIZE) {
    throw invalid("FIELD_INVALID", "page_size", `must be 1 to ${MAX_PAGE_SIZE}, or absent`);
  }
  const size = pageSize === 0 ? DEFAULT_PAGE_SIZE : pageSize;
  if (pageToken === "") {
    return { size };
  }
  const [digits, digest] = Buffer.from(pageToken, "base64url").toString().split(" ");
  if (digits === undefined || !/^[0-9]{1,18}$/.test(digits) || digest !== digestOf(filter)) {
    throw invalid(
      "FIELD_INVALID",
      "page_token",
      "must come from the previous page of a list with the same filters",
    );
  }
  return { size, cursor: BigInt(digits) };
}

/**
 * Cuts a page out of rows, of which the query was asked for one more than the
 * page holds, so that the last page is known to be the last.
 */
export function cutPage<Row>(
  rows: readonly Row[],
  page: Page,
  token: { readonly filter: readonly string[]; readonly cursorOf: (row: Row) => bigint },
): { readonly rows: readonly Row[]; readonly nextPageToken: string } {
  const kept = rows.slice(0, page.size);
  const last = kept.at(-1);
  const nextPageToken =
    last === undefined || rows.length <= page.size
      ? ""
      : Buffer.from(`${token.cursorOf(last)} ${digestOf(token.filter)}`).toString("base64url");
  return { rows: kept, nextPageToken };
}

function digestOf(filter: readonly string[]): string {
  return createHash("sha256").update(JSON.stringify(filter)).digest("hex").slice(0, 16);
}
