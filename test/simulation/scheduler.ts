/** Virtual time: what happens, and in which order. */
export interface Scheduler {
  /** Milliseconds since the world began. */
  nowMs(): number;
  /** Calls back once after `delayMs`, unless the returned function is called first. */
  after(delayMs: number, callback: () => void): () => void;
  /** Lets everything happen that is due until then, each event with all that follows from it at once. */
  runUntil(untilMs: number): Promise<void>;
}

interface Event {
  readonly atMs: number;
  /** Events of one instant happen in the order in which they were planned. */
  readonly sequence: number;
  callback: (() => void) | undefined;
}

export function createScheduler(): Scheduler {
  const heap: Event[] = [];
  let nowMs = 0;
  let sequence = 0;

  return {
    nowMs: () => nowMs,
    after(delayMs, callback) {
      sequence += 1;
      const event: Event = { atMs: nowMs + Math.max(0, delayMs), sequence, callback };
      push(heap, event);
      return () => {
        event.callback = undefined;
      };
    },
    async runUntil(untilMs) {
      for (let event = heap[0]; event !== undefined && event.atMs <= untilMs; event = heap[0]) {
        pop(heap);
        if (event.callback !== undefined) {
          nowMs = event.atMs;
          event.callback();
          await microtasksDone();
        }
      }
      nowMs = Math.max(nowMs, untilMs);
    },
  };
}

/** Nothing here does I/O: once the event loop turns, every promise that could go on has gone on. */
function microtasksDone(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function isBefore(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.sequence < b.sequence);
}

// A binary heap with the next event first.

function push(heap: Event[], event: Event): void {
  let index = heap.length;
  while (index > 0) {
    const above = (index - 1) >> 1;
    const parent = heap[above];
    if (parent === undefined || isBefore(parent, event)) {
      break;
    }
    heap[index] = parent;
    index = above;
  }
  heap[index] = event;
}

function pop(heap: Event[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) {
    return;
  }
  let index = 0;
  for (;;) {
    const left = 2 * index + 1;
    const [one, other] = [heap[left], heap[left + 1]];
    const below = one !== undefined && other !== undefined && isBefore(other, one) ? other : one;
    if (below === undefined || isBefore(last, below)) {
      break;
    }
    heap[index] = below;
    index = below === one ? left : left + 1;
  }
  heap[index] = last;
}
