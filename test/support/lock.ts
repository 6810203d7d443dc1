/** Work that must not overlap, in the order in which it came. */
export interface Lock {
  exclusively<Result>(work: () => Promise<Result>): Promise<Result>;
}

export function createLock(): Lock {
  let last: Promise<unknown> = Promise.resolve();
  return {
    exclusively(work) {
      const done = last.then(work);
      last = done.catch(() => {}); // its own caller is told
      return done;
    },
  };
}
