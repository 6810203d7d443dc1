import type { Run } from "../../src/idempotency/attempt.js";
import type { Execution } from "../../src/idempotency/call.js";
import type { Clock } from "../../src/idempotency/clock.js";
import type { ErrorDescription } from "../../src/idempotency/errors.js";
import { deriveId } from "../../src/idempotency/scope.js";
import type { Claim } from "../../src/idempotency/store.js";
import { act } from "./act.js";
import type { Kind } from "./calls.js";
import type { Payment, Transaction } from "./database.js";
import { pay } from "./pay.js";
import type { Charge, Decision } from "./processor.js";
import type { Random } from "./random.js";
import type { RemoteDatabase } from "./remote-database.js";

/** What the handlers of one process work with. */
export interface HandlerDependencies {
  readonly database: RemoteDatabase;
  readonly databaseNowMs: () => number;
  readonly charge: (charge: Charge) => Promise<Decision>;
  readonly clock: Clock;
  readonly random: Random;
  /** How many runs end in some other way than they should. */
  readonly mischief: () => number;
  readonly processorKeyOf: (kind: Kind, claim: Pick<Claim, "scope" | "fencingToken">) => string;
  readonly reserve: (payment: Payment, operationId: string) => Payment;
  /** Counts something that the rules are there for. */
  readonly saw: (what: string) => void;
}

export type Handlers = Record<Kind, (request: string) => Run<Transaction>>;

export function createHandlers(dependencies: HandlerDependencies): Handlers {
  return {
    payment: (request) => (execution) => pay(dependencies, request, execution),
    rerun: (request) => (execution) => act(dependencies, { kind: "rerun", request, execution }),
    hold: (request) => (execution) => act(dependencies, { kind: "hold", request, execution }),
  };
}

/** The key under which every attempt of a repeatable handler asks the processor; one run's own where none may follow. */
export function processorKeyOf(
  kind: Kind,
  { scope, fencingToken }: Pick<Claim, "scope" | "fencingToken">,
): string {
  const key = deriveId("pk", scope);
  return kind === "hold" ? `${key}_${fencingToken}` : key;
}

/** Sets a unit aside for an operation, before the processor is asked. */
export function reserve(payment: Payment, operationId: string): Payment {
  return { ...payment, inFlight: [...payment.inFlight, operationId] };
}

export function describe(code: ErrorDescription["code"], reason: string): ErrorDescription {
  return { code, reason, message: "simulated", next: "retry_same_key" };
}

/** The checks need only the scope and the token. */
export function claimOf({ scope, fencingToken, attempt }: Execution<Transaction>): Charge["claim"] {
  return { scope, fencingToken, attempt };
}
