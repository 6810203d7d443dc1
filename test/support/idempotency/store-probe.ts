import type { IdempotencyStore } from "../../../src/idempotency/port/store.js";

const WATCHED = ["claim", "extend", "complete", "committed", "release", "suspend"] as const;
type Watched = (typeof WATCHED)[number];

/** How a call of a store fails: its request is lost, or the reply to what it did. */
export type Loss = "request" | "reply";

/** A real store with a tap on its line: counts its calls, and loses some. */
export interface StoreProbe<Transaction> {
  readonly store: IdempotencyStore<Transaction>;
  /** How many calls have been made. */
  calls(method: Watched): number;
  /** Loses the next calls of one method. */
  lose(method: Watched, loss: Loss, times: number): void;
  /** Calls of the method wait until `open` is called. */
  stall(method: Watched): { open(): void };
}

export function probe<Transaction>(inner: IdempotencyStore<Transaction>): StoreProbe<Transaction> {
  const calls = new Map<Watched, number>();
  const losses = new Map<Watched, { readonly loss: Loss; left: number }>();
  const stalls = new Map<Watched, Promise<void>>();

  function watched<Parameters extends readonly unknown[], Result>(
    method: Watched,
    call: (...parameters: Parameters) => Promise<Result>,
  ) {
    return async (...parameters: Parameters): Promise<Result> => {
      calls.set(method, (calls.get(method) ?? 0) + 1);
      await stalls.get(method);
      const lost = losses.get(method);
      const isLost = lost !== undefined && lost.left > 0;
      if (isLost) {
        lost.left -= 1;
      }
      if (isLost && lost.loss === "request") {
        throw new Error(`the request of ${method} was lost`);
      }
      const result = await call(...parameters);
      if (isLost) {
        throw new Error(`the reply to ${method} was lost`);
      }
      return result;
    };
  }

  return {
    store: {
      ...inner,
      claim: watched("claim", inner.claim),
      extend: watched("extend", inner.extend),
      complete: watched("complete", inner.complete),
      committed: watched("committed", inner.committed),
      release: watched("release", inner.release),
      suspend: watched("suspend", inner.suspend),
    },
    calls: (method) => calls.get(method) ?? 0,
    lose(method, loss, times) {
      losses.set(method, { loss, left: times });
    },
    stall(method) {
      let open = () => {};
      stalls.set(
        method,
        new Promise((resolve) => {
          open = resolve;
        }),
      );
      return {
        open() {
          stalls.delete(method);
          open();
        },
      };
    },
  };
}
