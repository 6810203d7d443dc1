/** Resolves with true if the work ended within the limit. Rejects as the work does; what it does later does not matter. */
export async function within(work: Promise<unknown>, limitMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    if (limitMs < Number.POSITIVE_INFINITY) {
      timer = setTimeout(() => resolve(false), limitMs);
    }
  });
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
