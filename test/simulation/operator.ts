import { Code } from "../../src/idempotency/answers/code.js";
import { errorOutcome } from "../../src/idempotency/answers/errors.js";
import { okOutcome } from "../../src/idempotency/port/outcome.js";
import type { Scope } from "../../src/idempotency/port/scope.js";
import type { StoredRecord } from "../../src/idempotency/port/store.js";
import type { Resolution } from "../../src/server/resolution.js";
import type { Random } from "../support/random.js";
import { FINAL_REASON } from "./answers.js";
import { isOperation, kindOf, nameOf, TENANT } from "./calls.js";
import type { Caller, Network } from "./network.js";
import type { Observer } from "./observer.js";
import type { Fate } from "./processor.js";
import type { Scheduler } from "./scheduler.js";
import type { Service } from "./service.js";

/** Longer than anything that a process does for an operator. Milliseconds. */
const TIMEOUT_MS = 30_000;

/** How many looks are at records that nobody may end, or end so. */
const CARELESS_RATE = 0.3;

const LIST = { about: "operator", what: "list" };

const OTHER_STATES = ["executing", "completed", "released"] as const;

export interface OperatorOptions {
  readonly scheduler: Scheduler;
  readonly network: Network;
  readonly random: Random;
  readonly observer: Observer;
  readonly serviceAt: (place: number) => Service;
  readonly places: number;
  /** What became of a key's calls, and whether something may still come of them. */
  readonly fateOf: (scope: Scope) => Fate;
  readonly isSettled: (scope: Scope) => boolean;
}

/** Somebody who ends keys that are held, and says of each what is true. */
export interface Operator {
  /** Looks at one process's list, and ends what can be ended. */
  look(): Promise<void>;
}

export function createOperator(options: OperatorOptions): Operator {
  const { scheduler, network, random, observer, serviceAt, places, fateOf, isSettled } = options;
  const self: Caller = {
    name: "operator",
    clock: { nowMs: scheduler.nowMs, setTimer: scheduler.after },
    accept: (callback) => callback(),
    maySend: () => true,
  };

  /** What can be said of a key, or undefined while it has to wait. */
  function wordOn(scope: Scope): "not_executed" | "response" | "error" | undefined {
    switch (fateOf(scope)) {
      case "approved":
        return "response";
      case "declined":
      case "invalid":
        return "error";
      case "nothing":
        return isSettled(scope)
          ? random.pick(["not_executed", "not_executed", "error"])
          : undefined;
    }
  }

  function send<Result>(
    { about, what }: { readonly about: string; readonly what: string },
    execute: (service: Service) => Promise<Result>,
  ) {
    const service = serviceAt(random.integer(0, places - 1));
    return network.call({
      from: self,
      to: service.host,
      about,
      what,
      mayBeRepeated: true,
      timeoutMs: TIMEOUT_MS,
      execute: () => execute(service),
    });
  }

  async function end({ operation, key, fencingToken, state }: StoredRecord): Promise<void> {
    if (operation === undefined || key === undefined) {
      return; // a tombstone
    }
    const scope = { tenant: TENANT, operation, key };
    const word = wordOn(scope);
    if (word === undefined) {
      return;
    }
    const generation = observer.generation();
    const isCareless = random.chance(CARELESS_RATE);
    const token = isCareless ? fencingToken - 1n : fencingToken;
    await send({ about: nameOf(scope), what: `${word} ${token}` }, async (service) => {
      if (observer.generation() !== generation) {
        throw new Error("the database was restored, so the operator looks again");
      }
      const held = { fencingToken: token, reason: "seen", resolution: resolutionOf(scope, word) };
      const { kind } = await service.resolve(scope, held);
      observer.saw(`${word} of a record that is ${isCareless ? "another" : state}: ${kind}`);
    });
  }

  return {
    async look() {
      const state = random.chance(CARELESS_RATE) ? random.pick(OTHER_STATES) : "held";
      try {
        for (const record of await send(LIST, (service) => service.list(state))) {
          await end(record);
        }
      } catch {
        // The next look will do.
      }
    },
  };
}

function resolutionOf(scope: Scope, word: "not_executed" | "response" | "error"): Resolution {
  switch (word) {
    case "not_executed":
      return { kind: "not_executed" };
    case "response": {
      // Where there are rows, they say what is answered.
      const body = isOperation(kindOf(scope)) ? "" : "approved, by hand";
      return { kind: "outcome", outcome: okOutcome(Buffer.from(body)) };
    }
    case "error": {
      const code = Code.ABORTED;
      const message = "declined, by hand";
      const error = { code, reason: FINAL_REASON, message, next: "fix_request" } as const;
      return { kind: "outcome", outcome: errorOutcome(error) };
    }
  }
}
