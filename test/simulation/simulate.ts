import { lookAfterwards, putOperatorOnDuty } from "./aftermath.js";
import { kindOf, nameOf, scopeOf, TENANT } from "./calls.js";
import { check } from "./checks.js";
import { type HistoryEntry, runClient } from "./clients.js";
import { LONGEST_CALL_MS } from "./processor.js";
import { INVALID } from "./requests.js";
import type { Sabotage } from "./sabotage.js";
import type { Violation } from "./violations.js";
import { createWorld, type World } from "./world.js";

export interface SimulationResult {
  readonly violations: readonly Violation[];
  /** Equal for two runs exactly where all their events are. */
  readonly traceHash: () => string;
  /** How often something happened that the rules are there for. */
  readonly sights: ReadonlyMap<string, number>;
  /** What went wrong, for people: the violations and the last events before. */
  readonly report: () => string;
}

/**
 * All keys have come to their end by then: recovery leaves a call that ended
 * many owners alone for at most five minutes more than its lease. Milliseconds.
 */
const QUIET_BOUND_MS = 330_000;

const LOOK_INTERVAL_MS = 1_000;

/** After a restore calls come again within one of these times, in any order. Milliseconds. */
const REPEATED_WITHIN_MS = [500, 8_000] as const;

const REPEATED_RATE = 0.8;

/** Lets one world happen: faults, then quiet, then the checks. */
export async function simulate(seed: number, sabotage: Sabotage = {}): Promise<SimulationResult> {
  // Thousands of errors are on their way, and nobody reads where they were made.
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return await simulateWorld(seed, sabotage);
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

async function simulateWorld(seed: number, sabotage: Sabotage): Promise<SimulationResult> {
  const clients = createClients();
  const restoredAtMs: number[] = [];
  const world = createWorld(seed, {
    sabotage,
    onRestore(restored) {
      restoredAtMs.push(restored.scheduler.nowMs());
      clients.repeat(restored);
    },
  });
  const { scheduler, plan, observer, processor, database, trace } = world;
  const { history } = clients;
  clients.start(world);
  await scheduler.runUntil(plan.faultsUntilMs);
  world.endFaults();
  putOperatorOnDuty(world);
  // What is on its way has arrived by then, also the last words of late owners.
  await scheduler.runUntil(plan.faultsUntilMs + LONGEST_CALL_MS);
  const [fromMs] = restoredAtMs;
  const restored = fromMs === undefined ? undefined : { fromMs, toMs: scheduler.nowMs() };
  await becomeQuiet(world, clients.unfinished);
  await lookAfterwards(world, history);
  check({
    scopes: plan.keys.map(({ kind, key }) => scopeOf(kind, key)),
    observer,
    history,
    journal: processor.journal(),
    rows: database.rows,
    restored,
  });
  return {
    violations: observer.violations(),
    traceHash: trace.hash,
    sights: observer.sights(),
    report: () => reportOf(seed, world),
  };
}

function reportOf(seed: number, { plan, observer, trace }: World): string {
  const [first, ...others] = observer.violations();
  if (first === undefined) {
    return "nothing is wrong";
  }
  return [
    `SEED=${seed} npx vitest run --project simulation`,
    JSON.stringify(plan),
    ...[first, ...others].map(({ kind, name, detail }) => `${name}: ${kind}: ${detail}`),
    "the last events before the first of these:",
    trace.last(first.name, first.line),
  ].join("\n");
}

/** All clients of a world, and what they are told. */
function createClients() {
  const history: HistoryEntry[] = [];
  let unfinished = 0;

  function run(
    { scheduler, network, random, serviceAt, plan }: World,
    client: Parameters<typeof runClient>[1],
  ): void {
    unfinished += 1;
    const options = { scheduler, network, random, serviceAt, places: plan.processes, history };
    void runClient(options, client).then(() => {
      unfinished -= 1;
    });
  }

  function drawRequest({ random, plan }: World, [first, other]: readonly [string, string]): string {
    if (random.chance(plan.invalidRate)) {
      return INVALID;
    }
    return random.chance(plan.changedRate) ? other : first;
  }

  return {
    history,
    unfinished: () => unfinished,

    start(world: World): void {
      const { random, plan } = world;
      for (const { kind, key, requests } of plan.keys) {
        for (let index = 0; index < plan.clientsPerKey; index += 1) {
          // A payment is created before much is asked of it.
          const isEarly = random.chance(kind === "create" && index === 0 ? 1 : 0.5);
          run(world, {
            name: `client-${key}-${index}`,
            scope: scopeOf(kind, key),
            request: drawRequest(world, requests),
            startAtMs: random.integer(0, isEarly ? 50 : plan.faultsUntilMs),
            calls: random.integer(1, 12),
            deadlineMs: random.pick([500, 3_000, 15_000]),
            isPatient: random.chance(0.5),
            ...(random.chance(0.3) ? { hedgeAfterMs: random.integer(50, 1_000) } : {}),
          });
        }
      }
    },

    /** The database has lost rows: those who call come again. */
    repeat(world: World): void {
      const { random, plan, observer } = world;
      for (const { kind, key, requests } of plan.keys) {
        if (random.chance(REPEATED_RATE)) {
          run(world, {
            name: `again-${key}-${observer.generation()}`,
            scope: scopeOf(kind, key),
            request: requests[0],
            startAtMs: random.integer(0, random.pick(REPEATED_WITHIN_MS)),
            calls: random.integer(1, 12),
            deadlineMs: random.pick([500, 3_000, 15_000]),
            isPatient: random.chance(0.5),
          });
        }
      }
    },
  };
}

/** Waits for every key's end, without a client if need be. */
async function becomeQuiet(world: World, unfinishedClients: () => number): Promise<void> {
  const { scheduler, database, observer } = world;
  const page = { tenant: TENANT, state: "executing", pageSize: 100 } as const;
  const executing = async () => (await database.store.list(page)).records;
  const untilMs = scheduler.nowMs() + QUIET_BOUND_MS;
  while (unfinishedClients() > 0 || (await executing()).length > 0) {
    if (scheduler.nowMs() > untilMs) {
      for (const { operation = "", key = "" } of await executing()) {
        const scope = scopeOf(kindOf({ operation }), key);
        observer.report(
          "wedged",
          scope,
          `${nameOf(scope)} is still executing long after the faults`,
        );
      }
      return;
    }
    await scheduler.runUntil(scheduler.nowMs() + LOOK_INTERVAL_MS);
  }
}
