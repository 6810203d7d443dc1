import type { Random } from "../support/random.js";
import { CREATION, type Kind, type PolicyTimes } from "./calls.js";
import type { Weather } from "./network.js";
import { drawRequests } from "./requests.js";
import type { GateName } from "./service.js";

/** A key, and the two requests that come under it. */
export interface PlannedKey {
  readonly kind: Kind;
  readonly key: string;
  readonly requests: readonly [string, string];
}

/** A backup and the moments in which it is put back. Milliseconds. */
export interface PlannedRestores {
  readonly backUpAtMs: number;
  readonly restoreAtMs: readonly number[];
}

/** Which clocks are wrong, where some are; at most one kind of them, or no age can be known. */
export type WrongClocks = "none" | "database" | "walls";

/** What a world is like. Each seed leaves some faults out, so that others are seen alone. */
export interface Plan {
  readonly processes: number;
  readonly keys: readonly PlannedKey[];
  readonly clientsPerKey: number;
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

const LONG_MS = 3_600_000;

/** Calls outlive the faults, and what they leave is found out long before. */
const USUAL_WINDOW_MS = 150_000;

/** What its margin and the longest call leave is used up while faults happen. */
const SHORT_WINDOWS_MS = [35_000, 45_000] as const;

/** Each kind as often as it is worth. */
const USUAL_KINDS: readonly Kind[] = ["capture", "capture", "refund", "cancel", "rerun", "hold"];

/** Without handlers that must not be repeated: they do not outlive lost rows. */
const RESTORED_KINDS: readonly Kind[] = ["capture", "capture", "refund", "cancel", "rerun"];

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
  return {
    processes: integer(2, 4),
    // Calls of one key never share a message, so there are more of them.
    keys: drawKeys(random, focus, integer(1, 2) + (sharesMessages ? integer(1, 3) : 0)),
    clientsPerKey: integer(2, 6),
    gate: pick(["none", "memory", "redis"]),
    ...(sharesMessages ? { maxWaitingCalls: pick([1, 100]) } : {}),
    keepsAnswers: chance(0.5),
    times: {
      inFlightWaitMs: pick([0, 0, 3_000]),
      retentionMs: chance(0.1) ? 15_000 : LONG_MS,
    },
    maxAttempts: pick([200, 200, 3]),
    weather: {
      loss: pick([0, 0.02, 0.1, 0.3]),
      duplicate: pick([0, 0.1]),
      slow: pick([0, 0.05, 0.2]),
    },
    mischief: pick(hasShortWindow ? [0.7, 0.9, 1] : [0, 0.25, 0.6]),
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
    strikes: some(3),
    strikePauseMs: hasShortWindow ? 30_000 : 10_000,
    crashes: some(5),
    pauses: some(5),
    cuts: some(4),
    outages: some(2),
    // How long ago the database was restored is known by its clock alone.
    clockJumps: isRestored && wrongClocks === "database" ? 1 : some(2),
    redisFaults: some(6),
    operatorLooks: some(4),
    wrongClocks,
    skewedClocks: chance(0.5),
    clockRates: hasShortWindow ? [0.99, 1.01] : [0.95, 1.05],
  };
}

function drawKeys(random: Random, focus: Focus, count: number): readonly PlannedKey[] {
  const kinds = focus === "restores" ? RESTORED_KINDS : USUAL_KINDS;
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
function drawRestores({ integer, chance }: Random): readonly PlannedRestores[] {
  const backUpAtMs = chance(0.3) ? integer(0, 100) : integer(100, 8_000);
  const first = backUpAtMs + integer(300, 10_000);
  const second = first + integer(300, 10_000);
  if (chance(0.4)) {
    return [{ backUpAtMs, restoreAtMs: [first] }];
  }
  return chance(0.7)
    ? [{ backUpAtMs, restoreAtMs: [first, second] }]
    : [
        { backUpAtMs, restoreAtMs: [first] },
        { backUpAtMs: integer(first, second), restoreAtMs: [second] },
      ];
}
