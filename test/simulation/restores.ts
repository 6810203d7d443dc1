import type { Random } from "../support/random.js";
import type { Database, Rows } from "./database.js";
import type { Host } from "./host.js";
import type { LivesBackup } from "./lives.js";
import type { Network, Server } from "./network.js";
import type { Observer } from "./observer.js";
import type { PlannedRestores } from "./plan.js";
import type { Scheduler } from "./scheduler.js";
import type { Trace } from "./trace.js";

/** How often a process looks which database it is, as `watchDeployment` does. Milliseconds. */
const LOOK_INTERVAL_MS = 1_000;

const LOOK_TIMEOUT_MS = 2_000;

/** How long the database is away before it is back as it was. Where not at all, connections survive. */
const AWAY_MS = [0, 0, 500, 3_000] as const;

/** How many restores come right after a write, while its reply is on its way. */
const AFTER_WRITE_RATE = 0.5;

/** If there is a write by then. Milliseconds. */
const WRITE_WITHIN_MS = 3_000;

/** What a database says of itself. */
export interface Identity {
  /** How often it was restored. */
  readonly generation: number;
  /** What copies of answers are named by. */
  readonly name: string;
  readonly restoredAgoMs: number | undefined;
}

/** How copies of answers are named after the database that they come from. */
export type NameGeneration = (
  /** Never the same twice. */
  drawn: string,
  /** A counter among the rows, which a restore puts back with them. */
  counted: number,
) => string;

/** Backups of a database, and when they are put back. */
export interface Restores {
  identity(): Identity;
  /** Whether there is none to come. */
  areOver(): boolean;
  /** Something was written. */
  onWrite(): void;
  plan(restores: readonly PlannedRestores[]): void;
}

export function createRestores(options: {
  readonly database: Database;
  readonly databaseServer: Server;
  readonly databaseNowMs: () => number;
  readonly observer: Observer;
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly trace: Trace;
  readonly nameGeneration: NameGeneration;
  readonly onRestore: () => void;
}): Restores {
  const { database, databaseServer, databaseNowMs, observer, scheduler, random, trace } = options;
  let restoreTimeMs: number | undefined;
  let toCome = 0;
  let afterWrite: (() => void)[] = [];

  function putBack(rows: Rows, lives: LivesBackup): void {
    toCome -= 1;
    database.putBack(rows);
    observer.putBack(lives);
    observer.saw("restore");
    restoreTimeMs = databaseNowMs();
    trace.add(`the database is restored, generation ${observer.generation()}`);
    options.onRestore();
  }

  function restoreSoon(rows: Rows, lives: LivesBackup): void {
    if (!random.chance(AFTER_WRITE_RATE)) {
      restore(rows, lives);
      return;
    }
    let isDone = false;
    const once = () => {
      if (!isDone) {
        isDone = true;
        restore(rows, lives);
      }
    };
    afterWrite.push(once);
    scheduler.after(WRITE_WITHIN_MS, once);
  }

  function restore(rows: Rows, lives: LivesBackup): void {
    const awayMs = random.pick(AWAY_MS);
    if (awayMs === 0) {
      putBack(rows, lives);
      return;
    }
    databaseServer.setAway(true);
    scheduler.after(awayMs, () => {
      putBack(rows, lives);
      databaseServer.setAway(false);
    });
  }

  return {
    identity: () => ({
      generation: observer.generation(),
      name: options.nameGeneration(`drawn${observer.generation()}`, database.rows.restores),
      restoredAgoMs: restoreTimeMs === undefined ? undefined : databaseNowMs() - restoreTimeMs,
    }),
    areOver: () => toCome === 0,
    onWrite() {
      for (const restoreNow of afterWrite) {
        scheduler.after(0, restoreNow); // once all of it is written
      }
      afterWrite = [];
    },
    plan(restores) {
      for (const { backUpAtMs, restoreAtMs } of restores) {
        toCome += restoreAtMs.length;
        scheduler.after(backUpAtMs, () => {
          trace.add("the database is backed up");
          const [rows, lives] = [database.backUp(), observer.backUp()];
          for (const atMs of restoreAtMs) {
            scheduler.after(atMs - scheduler.nowMs(), () => restoreSoon(rows, lives));
          }
        });
      }
    },
  };
}

/** Which database it is, as a process knows it. */
export interface KnownIdentity {
  generation(): number;
  name(): string;
  restoredAgoMs(): number | undefined;
  /** Looks now. Rejects where the database cannot be reached. */
  lookForRestore(): Promise<void>;
}

/**
 * Looks when the process starts, and again and again, until there is nothing
 * more to see. What was read last holds.
 */
export function watchIdentity(options: {
  readonly host: Host;
  readonly network: Network;
  readonly databaseServer: Server;
  readonly restores: Restores;
}): KnownIdentity {
  const { host, network, databaseServer } = options;
  const { identity, areOver } = options.restores;
  let known = identity();
  let readAtMs = host.clock.nowMs();

  function lookLater(): void {
    if (!areOver() || known.generation !== identity().generation) {
      host.clock.setTimer(LOOK_INTERVAL_MS, () => {
        // Where it fails, the next one will do.
        void look()
          .catch(() => {})
          .finally(lookLater);
      });
    }
  }

  async function look(): Promise<void> {
    const next = await network.call({
      from: host,
      to: databaseServer,
      what: "which database is it",
      about: "identity",
      timeoutMs: LOOK_TIMEOUT_MS,
      execute: async () => identity(),
      describe: ({ name }) => name,
    });
    if (next.generation >= known.generation) {
      known = next;
      readAtMs = host.clock.nowMs();
    }
  }

  lookLater();
  return {
    generation: () => known.generation,
    name: () => known.name,
    restoredAgoMs: () =>
      known.restoredAgoMs === undefined
        ? undefined
        : known.restoredAgoMs + (host.clock.nowMs() - readAtMs),
    lookForRestore: look,
  };
}
