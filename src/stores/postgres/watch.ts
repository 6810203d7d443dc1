import type { Pool } from "pg";
import { type Clock, systemClock } from "../../idempotency/clock.js";
import { periodically } from "../../idempotency/recovery/periodically.js";
import { type Deployment, type Reading, readDatabase } from "./deployment.js";

/**
 * The time between two looks at the database. For that long a copy may be believed
 * of an answer that a restore has lost, and commits be confirmed that a crash
 * would lose; a look costs Postgres a fraction of a millisecond. Milliseconds.
 */
const INTERVAL_MS = 1_000;

/** The time after which an event is repeated whose cause goes on. Milliseconds. */
const TELL_AGAIN_MS = 60_000;

/** No transaction of a service writes for so long; whatever does holds up events. Milliseconds. */
const LONG_WRITE_MS = 30_000;

/** Knows the deployment as it was last read, until it is stopped. */
export interface DeploymentWatch {
  /** The deployment as it was last read. */
  readonly deployment: () => Deployment;
  /** Returns the time since it was last found that the database may have lost rows; undefined if it never was. Milliseconds on the database's clock. */
  readonly restoredAgoMs: () => number | undefined;
  /** Looks now, and not only with the next round. Rejects if the database cannot be read. */
  look(): Promise<void>;
  /** Returns the setting under which the database may lose what it confirms now, if there is one. */
  readonly lossySetting: () => string | undefined;
  /**
   * Returns the time for which the same transaction has been the oldest one that has
   * written and not ended, anywhere on the server: for so long no event and no
   * settled page of the ledger goes out. Milliseconds; 0 if there is none.
   */
  readonly eventsDelayedMs: () => number;
  /** Stops looking, and waits for the look that is under way. */
  stop(): Promise<void>;
}

/** A change that a watch has found, for a log. */
export type DeploymentEvent =
  | {
      readonly type: "new_generation";
      readonly deployment: Deployment;
      /** `restored`: the database may have lost rows. `restarted`: only its server was started anew. */
      readonly cause: "restored" | "restarted";
    }
  | { readonly type: "events_delayed"; readonly transaction: string; readonly forMs: number }
  | { readonly type: "lossy"; readonly setting: string }
  | { readonly type: "durable" };

export interface WatchOptions {
  /** The time between two looks. Milliseconds. Default 1,000 (1 s). */
  readonly intervalMs?: number;
  readonly clock?: Clock;
  /** Is told of everything worth a log line. Must not throw. */
  readonly onEvent?: (event: DeploymentEvent) => void;
}

/**
 * Reads the deployment, and keeps reading it until it is stopped: again and
 * again, since a pooler hides that the database behind it is another one; and
 * whenever a connection is made or breaks, since a failover does that. While it
 * cannot be read, what was read last holds.
 *
 * @throws if the database cannot be read at the start.
 */
export async function watchDeployment(
  pool: Pool,
  options: WatchOptions = {},
): Promise<DeploymentWatch> {
  const { intervalMs = INTERVAL_MS, clock = systemClock, onEvent = () => {} } = options;
  let reading = await readDatabase(pool);
  let readAtMs = clock.nowMs();
  let toldAtMs = Number.NEGATIVE_INFINITY;
  /** The oldest transaction that writes, since when it has been that, and when it was told of. */
  let oldest = { transaction: reading.oldestWrite, sinceMs: readAtMs, toldAtMs: readAtMs };
  let isStale = false;
  let looking: Promise<void> | undefined;

  /** Looks once more than now, if a look is under way: that one may have begun too early. */
  function look(): Promise<void> {
    isStale = true;
    looking ??= lookWhileStale().finally(() => {
      looking = undefined;
    });
    return looking;
  }

  async function lookWhileStale(): Promise<void> {
    while (isStale) {
      isStale = false;
      accept(await readDatabase(pool, reading));
    }
  }

  /** One that fails leaves it to the next connection, or the next round. */
  const tryToLook = () => look().catch(() => {});

  function accept(next: Reading): void {
    const { deployment: before, lossySetting: wasLossy } = reading;
    reading = next;
    readAtMs = clock.nowMs();
    const { deployment, lossySetting } = next;
    watchOldestWrite(next.oldestWrite);
    if (deployment.generation !== before.generation) {
      const isRestored = deployment.restoreTimeMs !== before.restoreTimeMs;
      const cause = isRestored ? "restored" : "restarted";
      onEvent({ type: "new_generation", deployment, cause });
    }
    if (lossySetting !== undefined) {
      tellLossy(lossySetting, lossySetting === wasLossy ? TELL_AGAIN_MS : 0);
    } else if (wasLossy !== undefined) {
      onEvent({ type: "durable" });
    }
  }

  function watchOldestWrite(transaction: string | undefined): void {
    if (transaction === undefined || transaction !== oldest.transaction) {
      oldest = {
        transaction,
        sinceMs: readAtMs,
        toldAtMs: readAtMs + LONG_WRITE_MS - TELL_AGAIN_MS,
      };
    } else if (readAtMs - oldest.toldAtMs >= TELL_AGAIN_MS) {
      oldest = { ...oldest, toldAtMs: readAtMs };
      onEvent({ type: "events_delayed", transaction, forMs: readAtMs - oldest.sinceMs });
    }
  }

  function tellLossy(setting: string, afterMs: number): void {
    if (readAtMs - toldAtMs >= afterMs) {
      toldAtMs = readAtMs;
      onEvent({ type: "lossy", setting });
    }
  }

  const onConnection = () => void tryToLook();
  pool.on("connect", onConnection);
  pool.on("error", onConnection);
  const rounds = periodically({ intervalMs, clock, work: tryToLook });
  return {
    look,
    deployment: () => reading.deployment,
    restoredAgoMs: () =>
      reading.restoredAgoMs === undefined
        ? undefined
        : reading.restoredAgoMs + (clock.nowMs() - readAtMs),
    lossySetting: () => reading.lossySetting,
    eventsDelayedMs: () => (oldest.transaction === undefined ? 0 : readAtMs - oldest.sinceMs),
    async stop() {
      pool.off("connect", onConnection);
      pool.off("error", onConnection);
      await rounds.stop();
      await looking?.catch(() => {});
    },
  };
}
