import type { Random } from "../support/random.js";
import { LEASE_MS, REDIS_NODES, SERVICES } from "./settings.js";

/** A fault follows the one before it after this long. Milliseconds. */
const MIN_PAUSE_MS = 1_000;
const MAX_PAUSE_MS = 3_000;

/** How long before a backup, between it and its use, and between its uses. Milliseconds. */
const BACKUP_PAUSE_MS = [12_000, 28_000] as const;

/** How often a backup is put back a second time. */
const TWICE_PART = 0.5;

/**
 * One of these is harmed by one fault at a time; different ones at any time.
 * `all`: nothing else is broken meanwhile.
 */
export type Part = "service" | "redis" | "database" | "processor" | "all";

interface FaultRow {
  readonly part: Part;
  /** How often it comes, compared with the others; 0 for what comes in an order of its own. */
  readonly weight: number;
  /** How long the harm lasts. Milliseconds. */
  readonly lastsMs: readonly [least: number, most: number];
}

const PAST_LEASE_MS = [LEASE_MS + 500, 2.5 * LEASE_MS] as const;

// The one table of what may happen.
const rows = {
  "kill -9 of a service": { part: "service", weight: 4, lastsMs: [0, 2_000] },
  "SIGTERM of a service": { part: "service", weight: 1, lastsMs: [0, 1_000] },
  "SIGSTOP of a service past its lease": { part: "service", weight: 4, lastsMs: PAST_LEASE_MS },
  "clock of a service jumps": { part: "service", weight: 2, lastsMs: [500, 3_000] },
  "SIGSTOP of Redis nodes": { part: "redis", weight: 2, lastsMs: [500, 4_000] },
  "kill -9 of Redis nodes": { part: "redis", weight: 2, lastsMs: [0, 2_000] },
  "FLUSHALL of Redis nodes": { part: "redis", weight: 2, lastsMs: [0, 0] },
  "clocks of Redis nodes jump": { part: "redis", weight: 2, lastsMs: [500, 4_000] },
  "network of Redis nodes": { part: "redis", weight: 2, lastsMs: [500, 4_000] },
  "end of database connections": { part: "database", weight: 3, lastsMs: [0, 0] },
  "crash of the database": { part: "database", weight: 1, lastsMs: [0, 1_500] },
  "network of the database": { part: "database", weight: 2, lastsMs: [500, 3_000] },
  "crash of the database, and a backup": { part: "database", weight: 0, lastsMs: [0, 0] },
  "restore of the database": { part: "all", weight: 0, lastsMs: [0, 0] },
  "armed faults of the processor": { part: "processor", weight: 5, lastsMs: [1_000, 4_000] },
  "kill -9 of the processor": { part: "processor", weight: 2, lastsMs: [0, 2_000] },
  "network of the processor": { part: "processor", weight: 2, lastsMs: [500, 3_000] },
} satisfies Record<string, FaultRow>;

export type FaultKind = keyof typeof rows;

export interface PlannedFault {
  /** After the beginning. Milliseconds. */
  readonly atMs: number;
  readonly kind: FaultKind;
  readonly part: Part;
  /** Which services or Redis nodes, by index. */
  readonly targets: readonly number[];
  readonly lastsMs: number;
  /** For all else that the fault has to choose. */
  readonly seed: number;
}

/** All faults of a run, decided before it begins: the same for the same random numbers. */
export function planFaults(random: Random, durationMs: number): readonly PlannedFault[] {
  const planned: PlannedFault[] = [];
  const pause = () => random.integer(MIN_PAUSE_MS, MAX_PAUSE_MS);
  for (let atMs = pause(); atMs < durationMs; atMs += pause()) {
    planned.push(plan(random, random.pick(weighted), atMs));
  }
  return [...planned, ...planRestores(random, durationMs)].sort(
    (left, right) => left.atMs - right.atMs,
  );
}

/** Backups one after the other, each put back once or twice. */
function planRestores(random: Random, durationMs: number): readonly PlannedFault[] {
  const planned: PlannedFault[] = [];
  const pause = () => random.integer(...BACKUP_PAUSE_MS);
  for (let atMs = pause(); atMs < durationMs; atMs += pause()) {
    planned.push(plan(random, "crash of the database, and a backup", atMs));
    for (let uses = random.chance(TWICE_PART) ? 2 : 1; uses > 0; uses -= 1) {
      atMs += pause();
      planned.push(plan(random, "restore of the database", atMs));
    }
  }
  return planned.filter(({ atMs }) => atMs < durationMs);
}

function plan(random: Random, kind: FaultKind, atMs: number): PlannedFault {
  const { part, lastsMs } = rows[kind];
  const [least, most] = lastsMs;
  return {
    atMs,
    kind,
    part,
    targets: pickTargets(random, part),
    lastsMs: random.integer(least, most),
    seed: random.integer(0, 2 ** 31),
  };
}

// Object.keys forgets the names' type.
const weighted = (Object.keys(rows) as FaultKind[]).flatMap((kind) =>
  Array.from({ length: rows[kind].weight }, () => kind),
);

function pickTargets(random: Random, part: Part): readonly number[] {
  switch (part) {
    case "service":
      return [random.integer(0, SERVICES - 1)];
    case "redis": {
      // A minority, a majority, or all of them.
      const count = random.integer(1, REDIS_NODES);
      const first = random.integer(0, REDIS_NODES - 1);
      return Array.from({ length: count }, (_, index) => (first + index) % REDIS_NODES);
    }
    case "database":
    case "processor":
    case "all":
      return [];
  }
}
