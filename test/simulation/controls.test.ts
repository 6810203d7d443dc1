import { expect, it } from "vitest";
import {
  batchingOnePayment,
  guessing,
  mixingUpResults,
  type Sabotage,
  withManyOwners,
  withoutFencing,
  withoutReservation,
  withoutUniqueClaim,
  withRandomProcessorKey,
  writingWhatIsOutdated,
} from "./sabotage.js";
import { simulate } from "./simulate.js";
import type { ViolationKind } from "./violations.js";

/** So many seeds are enough to notice that one of the rules is broken. */
const MAX_SEEDS = 600;

/** Some rules are missed in one world of hundreds only. On a machine that has much else to do. Milliseconds. */
const LIMIT_MS = 300_000;

const controls: [string, Sabotage, ViolationKind[]][] = [
  ["without the unique claim", withoutUniqueClaim, ["answers_differ", "effect_repeated"]],
  ["without fencing tokens", withoutFencing, ["late_owner_wrote", "answer_not_durable"]],
  ["with a processor key for each attempt", withRandomProcessorKey, ["effect_repeated"]],
  ["that reserves nothing for what is in flight", withoutReservation, ["captured_too_much"]],
  ["that writes what is outdated", writingWhatIsOutdated, ["captured_too_much"]],
  ["whose batches mix up their results", mixingUpResults, ["answers_differ", "answer_not_durable"]],
  ["whose duplicates all own one claim", withManyOwners, ["not_executed_but_acted"]],
  ["whose batches hold one payment twice", batchingOnePayment, ["captured_too_much"]],
  ["that takes unknown for not executed", guessing, ["not_executed_but_acted", "effect_repeated"]],
];

it.each(controls)(
  "a service %s breaks its guarantees",
  async (_, sabotage, expected) => {
    const missing = new Set<ViolationKind>(expected);
    for (let seed = 1; missing.size > 0 && seed <= MAX_SEEDS; seed += 1) {
      const { violations } = await simulate(seed, sabotage);
      for (const { kind } of violations) {
        missing.delete(kind);
      }
    }
    expect([...missing]).toEqual([]);
  },
  LIMIT_MS,
);
