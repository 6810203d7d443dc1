/** Writes items in the order they came, many per write where they come together. */
export interface GroupWriter<Item> {
  /** Returns true if one more item may wait. */
  hasRoom(): boolean;
  /** Resolves once the item, and every one before it, is written. */
  append(item: Item): Promise<void>;
  /** Resolves once nothing is being written. */
  settled(): Promise<void>;
}

export interface GroupWriterOptions<Item> {
  readonly write: (items: readonly Item[]) => Promise<void>;
  readonly waitingLimit: number;
  readonly onFailure: (error: Error) => void;
}

interface Waiting<Item> {
  readonly item: Item;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/**
 * While one write is on its way the next group gathers. After a write that
 * failed nobody knows what was written, so everything after it is rejected.
 */
export function createGroupWriter<Item>(options: GroupWriterOptions<Item>): GroupWriter<Item> {
  let waiting: Waiting<Item>[] = [];
  let writing: Promise<void> | undefined;
  let failure: Error | undefined;

  async function writeAll(): Promise<void> {
    while (waiting.length > 0) {
      const group = waiting;
      waiting = [];
      try {
        await options.write(group.map(({ item }) => item));
      } catch (error) {
        failure = new Error(`the journal cannot be written: ${String(error)}`, { cause: error });
        options.onFailure(failure);
        for (const { reject } of [...group, ...waiting.splice(0)]) {
          reject(failure);
        }
        break;
      }
      for (const { resolve } of group) {
        resolve();
      }
    }
    writing = undefined;
  }

  return {
    hasRoom: () => waiting.length < options.waitingLimit,
    append(item) {
      if (failure !== undefined) {
        return Promise.reject(failure);
      }
      return new Promise((resolve, reject) => {
        waiting.push({ item, resolve, reject });
        writing ??= writeAll();
      });
    },
    settled: async () => writing,
  };
}
