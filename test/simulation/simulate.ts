import { lookAfterwards } from "./aftermath.js";
import { scopeOf } from "./calls.js";
import { check } from "./checks.js";
import { type HistoryEntry, runClient } from "./clients.js";
import { SLOWEST_MS } from "./network.js";
import { FAULTS_UNTIL_MS } from "./plan.js";
import type { Sabotage } from "./sabotage.js";
import type { Violation } from "./violations.js";
import { createWorld, type World } from "./world.js";

export interface SimulationResult {
  readonly violations: readonly Violation[];
  readonly traceHash: string;
  /** How often something happened that the rules are there for. */
  readonly sights: ReadonlyMap<string, number>;
  /** What went wrong, for people: the violations and the last events before. */
  readonly report: string;
}

/** What is on its way when the faults end has arrived by then, also the last words of late owners. */
const LATE_MS = 3 * SLOWEST_MS;

/**
 * All keys have come to their end by then: recovery leaves a call that ended
 * many owners alone for at most five minutes more than its lease. Milliseconds.
 */
const QUIET_BOUND_MS = 330_000;

const LOOK_INTERVAL_MS = 1_000;

/** Lets one world happen: faults, then quiet, then the checks. */
export async function simulate(seed: number, sabotage: Sabotage = {}): Promise<SimulationResult> {
  const world = createWorld(seed, sabotage);
  const { scheduler, plan, observer, processor, trace } = world;
  const scopes = plan.keys.map(({ kind, key }) => scopeOf(kind, key));
  const history: HistoryEntry[] = [];
  const clients = startClients(world, scopes, history);
  await scheduler.runUntil(FAULTS_UNTIL_MS);
  world.endFaults();
  await scheduler.runUntil(FAULTS_UNTIL_MS + LATE_MS);
  await becomeQuiet(world, clients);
  await lookAfterwards(world, scopes, history);
  check({ scopes, observer, history, journal: processor.journal() });
  const violations = observer.violations();
  return {
    violations,
    traceHash: trace.hash(),
    sights: observer.sights(),
    report: reportOf(seed, world),
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

/** Returns how many of them have not finished. */
function startClients(
  { plan, random, scheduler, network, serviceAt }: World,
  scopes: ReturnType<typeof scopeOf>[],
  history: HistoryEntry[],
): () => number {
  const options = { scheduler, network, random, serviceAt, places: plan.processes, history };
  let unfinished = 0;
  for (const scope of scopes) {
    for (let index = 0; index < plan.clientsPerKey; index += 1) {
      unfinished += 1;
      void runClient(options, {
        name: `client-${scope.key}-${index}`,
        scope,
        request: random.chance(0.2) ? "changed" : "request",
        startAtMs: random.integer(0, random.chance(0.5) ? 50 : FAULTS_UNTIL_MS),
        calls: random.integer(1, 12),
        deadlineMs: random.pick([500, 3_000, 15_000]),
        ...(random.chance(0.3) ? { hedgeAfterMs: random.integer(50, 1_000) } : {}),
      }).then(() => {
        unfinished -= 1;
      });
    }
  }
  return () => unfinished;
}

/** Waits for every key's end, without a client if need be. */
async function becomeQuiet(world: World, unfinishedClients: () => number): Promise<void> {
  const { scheduler, database, observer } = world;
  const page = { tenant: "tenant", state: "executing", pageSize: 100 } as const;
  const executing = async () => (await database.store.list(page)).records;
  const untilMs = scheduler.nowMs() + QUIET_BOUND_MS;
  while (unfinishedClients() > 0 || (await executing()).length > 0) {
    if (scheduler.nowMs() > untilMs) {
      for (const { operation = "", key = "" } of await executing()) {
        const scope = { tenant: page.tenant, operation, key };
        observer.report("wedged", scope, "it is still executing long after the faults");
      }
      return;
    }
    await scheduler.runUntil(scheduler.nowMs() + LOOK_INTERVAL_MS);
  }
}
