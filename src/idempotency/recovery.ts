import { type Clock, systemClock } from "./clock.js";
import type { Executor } from "./executor.js";
import type { RepeatableMethod } from "./methods.js";
import { periodically } from "./periodically.js";
import type { Scope } from "./scope.js";
import type { IdempotencyStore, TakenOver } from "./store.js";

/** How often a process looks for claims past their lease. Milliseconds. */
const INTERVAL_MS = 1_000;

/**
 * Calls that one process recovers at once. A few: they compete with the calls
 * of clients, and every other process recovers as many.
 */
const MAX_RUNNING = 16;

export interface RecoveryOptions<Transaction> {
  readonly store: IdempotencyStore<Transaction>;
  readonly executor: Executor<Transaction>;
  /** What can be run again, by operation; claims of other operations are left alone. */
  readonly methods: ReadonlyMap<string, RepeatableMethod<Transaction>>;
  /** Default 1 s. */
  readonly intervalMs?: number;
  /** How many calls may be recovered at once. Default 16. */
  readonly maxRunning?: number;
  readonly clock?: Clock;
  /** Told of everything worth a log line or a metric. Must not throw. */
  readonly onEvent?: (event: RecoveryEvent) => void;
}

export type RecoveryEvent =
  /** Another attempt begins. One with a high number is a record that fails again and again. */
  | { readonly type: "taken_over"; readonly scope: Scope; readonly attempt: number }
  | { readonly type: "store_failed"; readonly error: unknown };

export interface Recovery {
  /** Takes nothing over any more, and waits for what is running. */
  stop(): Promise<void>;
}

/**
 * Takes over claims whose owners are gone, and runs their calls again through
 * the executor: with the same request and tenant, with no client and without a
 * client's deadline. Any number of processes may do so; a claim goes to one.
 */
export function startRecovery<Transaction>(options: RecoveryOptions<Transaction>): Recovery {
  const { store, executor, methods, onEvent = () => {} } = options;
  const { intervalMs = INTERVAL_MS, maxRunning = MAX_RUNNING, clock = systemClock } = options;
  const operations = [...methods.keys()];
  // Heartbeats go by the method's own lease; until the first one any of them will do.
  const leaseMs = Math.max(...[...methods.values()].map(({ policy }) => policy.leaseMs));
  const running = new Set<Promise<void>>();
  const looking = periodically({ intervalMs, clock, work: look });

  async function look(): Promise<void> {
    const limit = maxRunning - running.size;
    if (limit === 0) {
      return; // a call that hangs holds one place, and its attempt is bounded
    }
    try {
      for (const takenOver of await store.takeOverExpired({ operations, limit, leaseMs })) {
        const run = rerun(takenOver).finally(() => running.delete(run));
        running.add(run);
      }
    } catch (error) {
      onEvent({ type: "store_failed", error });
    }
  }

  async function rerun({ claim, request }: TakenOver): Promise<void> {
    const { scope, attempt } = claim;
    const method = methods.get(scope.operation);
    if (method === undefined) {
      return; // never asked for; the lease of a store that hands it out runs out again
    }
    onEvent({ type: "taken_over", scope, attempt });
    await executor.resume({
      claim,
      policy: method.policy,
      run: (execution) => method.run(request, execution),
    });
  }

  return {
    async stop() {
      await looking.stop();
      await Promise.all(running);
    },
  };
}
