import type { Pool } from "pg";
import type { Page } from "../runtime/paging.js";
import type { LedgerEntry } from "./ledger.js";
import { type LedgerFilter, listLedgerEntries, takeTransactionId } from "./postgres/ledger.js";
import { read } from "./postgres/read.js";
import { type SettleOptions, untilSettled } from "./settle.js";

/** The longest time for which a page waits for transactions under way; ours last no longer. Milliseconds. */
const SETTLE_LIMIT_MS = 5_000;

/**
 * The entries of a page, and one more if there are any behind it. An id is taken
 * before its transaction commits, so what is read on from a page is only known
 * to be behind it once nothing can appear in it any more. Undefined where that
 * takes too long: then the page is empty, and the same one comes next.
 */
export async function ledgerPage(
  pool: Pool,
  { filter, page }: { readonly filter: LedgerFilter; readonly page: Page<bigint> },
  options: Omit<SettleOptions, "limitMs">,
): Promise<readonly LedgerEntry[] | undefined> {
  const visible = await read(() => listLedgerEntries(pool, filter, page));
  if (visible.length <= page.size) {
    return visible; // The last page: nobody reads on from it.
  }
  const settled = await read(() => takeTransactionId(pool));
  return untilSettled(
    async () => {
      const entries = await read(() => listLedgerEntries(pool, filter, { ...page, settled }));
      return entries.length > 0 ? entries : undefined;
    },
    { ...options, limitMs: SETTLE_LIMIT_MS },
  );
}
