import type { ErrorDescription } from "../../src/idempotency/answers/errors.js";
import type { Clock } from "../../src/idempotency/clock.js";
import type { Run } from "../../src/idempotency/execution/attempt.js";
import { deriveId } from "../../src/idempotency/port/scope.js";
import type { Claim } from "../../src/idempotency/port/store.js";
import type { KeyWindow } from "../../src/payments/key-window.js";
import type { Steps } from "../../src/payments/postgres/steps.js";
import type { Random } from "../support/random.js";
import { act } from "./act.js";
import type { Kind } from "./calls.js";
import type { Transaction } from "./database.js";
import { pay } from "./pay.js";
import type { ProcessorClient } from "./processor-client.js";

/** What the handlers of one process work with. */
export interface HandlerDependencies extends ProcessorClient {
  readonly steps: Steps;
  readonly keyWindow: KeyWindow;
  /** As this process knows it. Milliseconds. */
  readonly restoredAgoMs: () => number | undefined;
  /** Asks the database whether it was restored just now. */
  readonly lookForRestore: () => Promise<void>;
  readonly clock: Clock;
  readonly random: Random;
  /** How many runs end in some other way than they should. */
  readonly mischief: () => number;
  /** Told of what must have happened in some world. */
  readonly saw: (sight: string) => void;
}

export type Handlers = Record<Kind, (request: string) => Run<Transaction>>;

export function createHandlers(dependencies: HandlerDependencies): Handlers {
  return {
    create: (request) => (execution) => pay(dependencies, { kind: "create", request, execution }),
    capture: (request) => (execution) => pay(dependencies, { kind: "capture", request, execution }),
    refund: (request) => (execution) => pay(dependencies, { kind: "refund", request, execution }),
    cancel: (request) => (execution) => pay(dependencies, { kind: "cancel", request, execution }),
    rerun: (request) => (execution) => act(dependencies, { kind: "rerun", request, execution }),
    hold: (request) => (execution) => act(dependencies, { kind: "hold", request, execution }),
  };
}

/** Each handler, changed in the same way. */
export function mapHandlers(
  { create, capture, refund, cancel, rerun, hold }: Handlers,
  change: (handler: Handlers[Kind]) => Handlers[Kind],
): Handlers {
  return {
    create: change(create),
    capture: change(capture),
    refund: change(refund),
    cancel: change(cancel),
    rerun: change(rerun),
    hold: change(hold),
  };
}

/** The key under which a handler without rows asks the processor; one run's own where none may follow. */
export function processorKeyOf(
  kind: "rerun" | "hold",
  { scope, fencingToken }: Pick<Claim, "scope" | "fencingToken">,
): string {
  const key = deriveId("pk", scope);
  return kind === "hold" ? `${key}_${fencingToken}` : key;
}

export function describe(code: ErrorDescription["code"], reason: string): ErrorDescription {
  return { code, reason, message: "simulated", next: "retry_same_key" };
}
