import { type Clock, sleep, systemClock } from "../clock.js";
import type { Executor } from "../execution/executor.js";
import type { Scope } from "../port/scope.js";
import type { IdempotencyStore, TakenOver } from "../port/store.js";
import type { RepeatableMethod } from "../request/methods.js";
import { periodically } from "./periodically.js";

/** The time between two looks for claims past their lease. Milliseconds. */
const INTERVAL_MS = 1_000;

/**
 * Calls that one process begins to recover within a second, or until they have
 * ended: a few, for they compete with the calls of clients, and every other
 * process recovers as many.
 */
const MAX_STARTING = 16;

/** After this long, a call that goes on only waits, for a processor or a lock. Milliseconds. */
const STARTING_MS = 1_000;

/**
 * Calls that one process recovers at once. More than begin within the ten
 * seconds that a processor may take, so that those that hang hold up no other.
 */
const MAX_RUNNING = 256;

export interface RecoveryOptions<Transaction> {
  readonly store: IdempotencyStore<Transaction>;
  readonly executor: Executor<Transaction>;
  /** The methods that can be run again, by operation; claims of other operations are left alone. */
  readonly methods: ReadonlyMap<string, RepeatableMethod<Transaction>>;
  /** The time between two rounds. Milliseconds. Default 1,000 (1 s). */
  readonly intervalMs?: number;
  /** The most calls that are recovered at once. Default 256. */
  readonly maxRunning?: number;
  readonly clock?: Clock;
  /** Is told of everything worth a log line or a metric. Must not throw. */
  readonly onEvent?: (event: RecoveryEvent) => void;
}

/** An event of recovery, for a log or a metric. */
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
  /** The tenant of each call that is being recovered. */
  const running = new Map<Promise<void>, string>();
  /** The runs that have just begun. */
  const starting = new Set<Promise<void>>();
  const looking = periodically({ intervalMs, clock, work: look });

  /** Takes over what it can, until there is no more. */
  async function look(signal: AbortSignal): Promise<void> {
    try {
      while (!signal.aborted) {
        const limit = Math.min(MAX_STARTING - starting.size, maxRunning - running.size);
        if (limit > 0) {
          const exceptTenants = tenantsWithoutRoom();
          const claims = { operations, limit, leaseMs, exceptTenants };
          const taken = await store.takeOverExpired(claims);
          for (const takenOver of taken) {
            begin(takenOver);
          }
          if (taken.length < limit) {
            return;
          }
        } else if (starting.size === 0) {
          return; // all of them hang, and their attempts are bounded
        } else {
          await Promise.race([...starting, sleep(clock, intervalMs, signal)]);
        }
      }
    } catch (error) {
      onEvent({ type: "store_failed", error });
    }
  }

  /** A tenant's calls may take no more room than is left for those of others. */
  function tenantsWithoutRoom(): readonly string[] {
    const counts = new Map<string, number>();
    for (const tenant of running.values()) {
      counts.set(tenant, (counts.get(tenant) ?? 0) + 1);
    }
    const left = maxRunning - running.size;
    return [...counts].filter(([, count]) => count >= left).map(([tenant]) => tenant);
  }

  function begin(takenOver: TakenOver): void {
    const ended = new AbortController();
    const run = rerun(takenOver).finally(() => {
      running.delete(run);
      ended.abort();
    });
    running.set(run, takenOver.claim.scope.tenant);
    const start = sleep(clock, STARTING_MS, ended.signal).finally(() => starting.delete(start));
    starting.add(start);
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
      await Promise.all(running.keys());
    },
  };
}
