import type { Answer } from "./answers.js";
import { nameOf, scopeOf } from "./calls.js";
import { type HistoryEntry, runClient } from "./clients.js";
import type { PlannedKey } from "./plan.js";
import { INVALID } from "./requests.js";
import type { World } from "./world.js";

/** How often a probe asks: a lock in a Redis node whose clock went back lives a minute longer. */
const PROBE_CALLS = 60;

const PROBE_DEADLINE_MS = 15_000;

/** Probes come in any order: a capture before the creation of its payment. Milliseconds. */
const PROBES_WITHIN_MS = 1_000;

const LOOK_INTERVAL_MS = 100;

/** How often an operator looks at what is held. Milliseconds. */
const DUTY_INTERVAL_MS = 5_000;

/** From now on an operator ends what is held, as soon as it can be known how. */
export function putOperatorOnDuty(world: Pick<World, "scheduler" | "operator">): void {
  world.scheduler.after(DUTY_INTERVAL_MS, () => {
    void world.operator.look();
    putOperatorOnDuty(world);
  });
}

/** Every key is asked for once more, from several clients and with all its requests. */
export async function lookAfterwards(world: World, history: HistoryEntry[]): Promise<void> {
  const { plan, scheduler, observer } = world;
  const open = new Set(plan.keys);
  for (const key of plan.keys) {
    void probe(world, key, history).then(() => open.delete(key));
  }
  const untilMs = scheduler.nowMs() + PROBE_CALLS * PROBE_DEADLINE_MS;
  while (open.size > 0 && scheduler.nowMs() < untilMs) {
    await scheduler.runUntil(scheduler.nowMs() + LOOK_INTERVAL_MS);
  }
  for (const { kind, key } of open) {
    observer.report("wedged", scopeOf(kind, key), "its probes have no end");
  }
}

async function probe(world: World, planned: PlannedKey, history: HistoryEntry[]): Promise<void> {
  const { scheduler, network, random, serviceAt, plan, observer } = world;
  const { kind, key, requests } = planned;
  const [first, other] = requests;
  const scope = scopeOf(kind, key);
  const ask = async (request: string): Promise<Answer | undefined> => {
    const answer = await runClient(
      { scheduler, network, random, serviceAt, places: plan.processes, history },
      {
        name: `probe-${nameOf(scope)}`,
        scope,
        request,
        startAtMs: random.integer(0, PROBES_WITHIN_MS),
        calls: PROBE_CALLS,
        deadlineMs: PROBE_DEADLINE_MS,
      },
    );
    if (answer === undefined) {
      observer.report("wedged", scope, "there is no answer long after the faults");
    }
    return answer;
  };

  const answer = await ask(first);
  // What was lost may come back only as it was.
  const mayChange = plan.restores.length === 0 || answer?.meaning === "final";
  for (const request of mayChange ? [other, INVALID, first] : [INVALID, first]) {
    await ask(request);
  }
}
