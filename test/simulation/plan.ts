import { KINDS, type Kind, type PolicyTimes } from "./calls.js";
import type { Weather } from "./network.js";
import type { Random } from "./random.js";
import type { GateName } from "./service.js";

/** Faults happen until then. Milliseconds. */
export const FAULTS_UNTIL_MS = 30_000;

/** What a world is like. Each seed leaves some faults out, so that others are seen alone. */
export interface Plan {
  readonly processes: number;
  readonly keys: readonly { readonly kind: Kind; readonly key: string }[];
  readonly clientsPerKey: number;
  readonly gate: GateName;
  /** Whether a gate keeps answers in its process, so that duplicates reach nobody else. */
  readonly keepsAnswers: boolean;
  /** How many calls of the database may wait to share a message. Absent where each is sent by itself. */
  readonly maxWaitingCalls?: number;
  readonly times: PolicyTimes;
  readonly weather: Weather;
  /** How many calls the processor does not simply answer, and handlers end in some other way. */
  readonly mischief: number;
  /** How many transactions fail at their commit. */
  readonly rollBackRate: number;
  /** Crashes and pauses in each life of a process, at messages of the seed's choice. */
  readonly strikes: number;
  /** The other faults are counted for the whole world. */
  readonly crashes: number;
  readonly pauses: number;
  readonly cuts: number;
  readonly outages: number;
  readonly databaseClockJumps: number;
  readonly redisFaults: number;
  readonly skewedClocks: boolean;
}

const LONG_MS = 3_600_000;

/** `own` draws what came later, so that the seeds of before are still the worlds they were. */
export function drawPlan(random: Random, own: Random): Plan {
  const { integer, pick, chance } = random;
  const sharesMessages = own.chance(0.5);
  const some = (most: number) => (chance(0.4) ? 0 : integer(1, most));
  return {
    processes: integer(2, 4),
    keys: [
      ...newKeys(integer(1, 3), "key", () => pick(KINDS)),
      // Calls of one key never share a message, and captures compete.
      ...newKeys(sharesMessages ? own.integer(2, 4) : 0, "more", () =>
        own.pick([...KINDS, "payment"]),
      ),
    ],
    clientsPerKey: integer(2, 6),
    gate: pick(["none", "memory", "redis"]),
    ...(sharesMessages ? { maxWaitingCalls: own.pick([1, 100]) } : {}),
    keepsAnswers: own.chance(0.5),
    times: {
      inFlightWaitMs: pick([0, 0, 3_000]),
      retentionMs: chance(0.1) ? 15_000 : LONG_MS,
    },
    weather: {
      loss: pick([0, 0.02, 0.1, 0.3]),
      duplicate: pick([0, 0.1]),
      slow: pick([0, 0.05, 0.2]),
    },
    mischief: pick([0, 0.3, 0.7]),
    rollBackRate: pick([0, 0.1]),
    strikes: some(3),
    crashes: some(5),
    pauses: some(5),
    cuts: some(4),
    outages: some(2),
    databaseClockJumps: some(2),
    redisFaults: some(6),
    skewedClocks: chance(0.5),
  };
}

function newKeys(count: number, name: string, kind: () => Kind): Plan["keys"] {
  return Array.from({ length: count }, (_, index) => ({ kind: kind(), key: `${name}${index}` }));
}
