import { CREATION, type Kind, type PolicyTimes } from "./calls.js";
import type { Strike } from "./host.js";
import type { Weather } from "./network.js";
import type { Random } from "./random.js";
import { drawRequests } from "./requests.js";
import type { GateName } from "./service.js";

/** A key, and the two requests that come under it. */
export interface PlannedKey {
  readonly kind: Kind;
  readonly key: string;
  readonly requests: readonly [string, string];
}

/** So long after the one before, or once an operation was written so often; whichever is first. */
export interface PlannedMoment {
  readonly afterMs: number;
  readonly afterWrites?: number;
}

/** A backup, and when it is put back. */
export interface PlannedRestores {
  readonly backUp: PlannedMoment;
  readonly restores: readonly PlannedMoment[];
}

/** Which clocks are wrong, where some are; at most one kind of them, or no age can be known. */
export type WrongClocks = "none" | "database" | "walls";

/** What a world is like. Each seed leaves some faults out, so that others are seen alone. */
export interface Plan {
  readonly processes: number;
  readonly keys: readonly PlannedKey[];
  readonly clientsPerKey: number;
  /** The most that one of them makes. */
  readonly callsPerClient: number;
  /** How many clients begin at once, and how many come back with what was not executed. */
  readonly earlyRate: number;
  readonly patientRate: number;
  readonly gate: GateName;
  /** Whether a gate keeps answers in its process, so that duplicates reach nobody else. */
  readonly keepsAnswers: boolean;
  /** How many calls of the database may wait to share a message. Absent where each is sent by itself. */
  readonly maxWaitingCalls?: number;
  readonly times: PolicyTimes;
  readonly maxAttempts: number;
  readonly weather: Weather;
  /** How many calls the processor does not simply answer, and handlers end in some other way. */
  readonly mischief: number;
  /** How many transactions fail at their commit. */
  readonly rollBackRate: number;
  /** How many clients send another request than others, and how many one that cannot be meant. */
  readonly changedRate: number;
  readonly invalidRate: number;
  readonly restores: readonly PlannedRestores[];
  /** How long the processor is said to remember a key, and how long it does. Milliseconds. */
  readonly keyWindowMs: number;
  readonly keyMemoryMs: number;
  /** Whether the processor itself declines what a payment's effects do not allow. */
  readonly isStrict: boolean;
  /** Faults happen until then. Milliseconds. */
  readonly faultsUntilMs: number;
  /** Crashes and pauses in each life of a process, at messages of the seed's choice. */
  readonly strikes: number;
  readonly strikeKinds: readonly Strike[];
  readonly strikePauseMs: number;
  /** The other faults are counted for the whole world, and so are an operator's looks. */
  readonly crashes: number;
  readonly pauses: number;
  readonly cuts: number;
  readonly outages: number;
  readonly clockJumps: number;
  readonly redisFaults: number;
  readonly operatorLooks: number;
  readonly wrongClocks: WrongClocks;
  readonly skewedClocks: boolean;
  /** Of the clocks of processes, beside 1. */
  readonly clockRates: readonly [slow: number, fast: number];
}

/** What a world is for, besides the faults that all may have. */
type Focus = "calls" | "restores" | "windows";

const STRIKES: readonly Strike[] = ["crash_before", "crash_after", "sleep"];

const LONG_MS = 3_600_000;

/** Calls outlive the faults, and what they leave is found out long before. */
const USUAL_WINDOW_MS = 150_000;

/** What its margin and the longest call leave is used up while faults happen. */
const SHORT_WINDOWS_MS = [35_000, 45_000] as const;

/** Each kind as often as it is worth. */
const USUAL_KINDS: readonly Kind[] = ["capture", "capture", "refund", "cancel", "rerun", "hold"];

/** Without handlers that must not be repeated: they do not outlive lost rows. */
const RESTORED_KINDS: readonly Kind[] = ["capture", "capture", "refund", "cancel", "rerun"];

/** Many that have no other in their way. */
const WINDOW_KINDS: readonly Kind[] = ["create", "create", "create", "capture"];

/** A refund is refused by the state of a payment that has lost its capture. */
const REFUNDED_RATE = 0.5;

export function drawPlan(random: Random): Plan {
  const { integer, pick, chance } = random;
  const focus: Focus = pick(["calls", "calls", "restores", "restores", "windows"]);
  const isRestored = focus === "restores";
  const hasShortWindow = focus === "windows";
  const sharesMessages = chance(0.5);
  const some = (most: number) => (chance(0.4) ? 0 : integer(1, most));
  const keyWindowMs = hasShortWindow ? pick(SHORT_WINDOWS_MS) : USUAL_WINDOW_MS;
  const wrongClocks = pick<WrongClocks>(["none", "database", "walls"]);
  const usualJumps = isRestored && wrongClocks === "database" ? 1 : some(2);
  return {
    processes: integer(2, 4),
    // Calls of one key never share a message, so there are more of them.
    keys: drawKeys(
      random,
      focus,
      integer(1, 2) + (sharesMessages || hasShortWindow ? integer(1, 3) : 0),
    ),
    clientsPerKey: hasShortWindow ? integer(4, 8) : integer(2, 6),
    callsPerClient: hasShortWindow ? 24 : 12,
    // Much is done before rows are lost.
    earlyRate: isRestored ? 0.7 : 0.5,
    patientRate: isRestored ? 0.8 : 0.5,
    gate: pick(["none", "memory", "redis"]),
    ...(sharesMessages ? { maxWaitingCalls: pick([1, 100]) } : {}),
    keepsAnswers: chance(0.5),
    times: {
      inFlightWaitMs: pick([0, 0, 3_000]),
      retentionMs: chance(0.1) ? 15_000 : LONG_MS,
    },
    maxAttempts: pick(hasShortWindow ? [200] : [200, 200, 3]),
    weather: {
      loss: pick(isRestored ? [0, 0.02, 0.1] : [0, 0.02, 0.1, 0.3]),
      duplicate: pick([0, 0.1]),
      // An answer that is on its way while its database is restored.
      slow: pick(isRestored ? [0, 0.1, 0.3] : [0, 0.05, 0.2]),
    },
    mischief: pick(
      { calls: [0, 0.25, 0.6], restores: [0, 0.1, 0.4], windows: [0.7, 0.9, 1] }[focus],
    ),
    rollBackRate: pick([0, 0.1]),
    // Where rows are lost, nobody can tell any more which request came first.
    changedRate: isRestored ? 0 : 0.2,
    invalidRate: 0.05,
    restores: isRestored ? drawRestores(random) : [],
    keyWindowMs,
    // A database that lost an operation cannot tell how old its key is.
    keyMemoryMs: hasShortWindow ? keyWindowMs : Number.POSITIVE_INFINITY,
    isStrict: isRestored || chance(0.3),
    faultsUntilMs: hasShortWindow ? 60_000 : 30_000,
    strikes: hasShortWindow ? integer(1, 5) : some(3),
    strikeKinds: hasShortWindow ? ["sleep", pick(STRIKES)] : STRIKES,
    strikePauseMs: hasShortWindow ? 30_000 : 10_000,
    crashes: some(5),
    pauses: some(5),
    cuts: some(4),
    outages: some(2),
    // How long ago the database was restored is known by its clock alone.
    clockJumps: hasShortWindow ? integer(2, 4) : usualJumps,
    redisFaults: some(6),
    operatorLooks: some(4),
    wrongClocks,
    skewedClocks: chance(0.5),
    clockRates: hasShortWindow ? [0.99, 1.01] : [0.95, 1.05],
  };
}

function drawKeys(random: Random, focus: Focus, count: number): readonly PlannedKey[] {
  const kinds = { calls: USUAL_KINDS, restores: RESTORED_KINDS, windows: WINDOW_KINDS }[focus];
  const isRefunded = focus === "restores" && random.chance(REFUNDED_RATE);
  const first: readonly Kind[] = isRefunded ? ["capture", "refund"] : [];
  const others = Array.from({ length: Math.max(0, count - first.length) }, () =>
    random.pick(kinds),
  );
  return [
    { kind: "create", key: CREATION.key, requests: drawRequests("create", random) },
    ...[...first, ...others].map((kind, index) => ({
      kind,
      key: `key${index}`,
      requests: drawRequests(kind, random),
    })),
  ];
}

/** Once or twice, where twice from one backup, or from a second one. */
function drawRestores({ integer, pick, chance }: Random): readonly PlannedRestores[] {
  const moment = (mostWrites: number): PlannedMoment => ({
    afterMs: integer(500, 10_000),
    ...(chance(0.6) ? { afterWrites: integer(1, mostWrites) } : {}),
  });
  const backUp = chance(0.15) ? { afterMs: integer(0, 50) } : moment(4);
  const [first, second] = [moment(8), moment(8)];
  return pick([
    [{ backUp, restores: [first] }],
    [{ backUp, restores: [first, second] }],
    [
      { backUp, restores: [first] },
      { backUp: moment(4), restores: [second] },
    ],
  ]);
}
