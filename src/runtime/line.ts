/** A queue whose items are worked on one after another, or a few at once. */
export interface Line<Entry> {
  add(entries: readonly Entry[]): void;
  /** Returns the number of items that nobody works on yet. */
  waiting(): number;
}

/** Works on what it is given, `width` at once, in the order in which it came. */
export function createLine<Entry>(
  width: number,
  work: (entry: Entry) => Promise<void>,
): Line<Entry> {
  const queue: Entry[] = [];
  let busy = 0;
  function start(): void {
    for (; busy < width; busy += 1) {
      const entry = queue.shift();
      if (entry === undefined) {
        return;
      }
      void work(entry).finally(() => {
        busy -= 1;
        start();
      });
    }
  }
  return {
    add(entries) {
      queue.push(...entries);
      start();
    },
    waiting: () => queue.length,
  };
}
