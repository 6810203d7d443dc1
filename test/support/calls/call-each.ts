/** For a test of 200 calls, each made twice, on a busy machine. */
export const MANY_CALLS_LIMIT_MS = 120_000;

/** Twice the connections of a service's pool for claims: calls wait for one, but not for long. */
const CALLERS = 20;

/** Makes a call for each item, a bounded number of them at once. The results are in the items' order. */
export async function callEach<Item, Result>(
  items: readonly Item[],
  call: (item: Item, index: number) => Promise<Result>,
): Promise<readonly Result[]> {
  const waiting = items.entries();
  const results: Result[] = [];
  const caller = async () => {
    for (const [index, item] of waiting) {
      results[index] = await call(item, index);
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
  return results;
}
