import type { Check } from "./check.js";
import { amounts } from "./checks/amounts.js";
import { begunRequests } from "./checks/begun-requests.js";
import { boundedAttempts } from "./checks/bounded-attempts.js";
import { copiedAnswers } from "./checks/copied-answers.js";
import { derivedNames } from "./checks/derived-names.js";
import { durableAnswers } from "./checks/durable-answers.js";
import { equalAnswers } from "./checks/equal-answers.js";
import { events } from "./checks/events.js";
import { histories } from "./checks/histories.js";
import { knownEffects } from "./checks/known-effects.js";
import { ledger } from "./checks/ledger.js";
import { notExecuted } from "./checks/not-executed.js";
import { parkedOperations } from "./checks/parked-operations.js";
import { reservations } from "./checks/reservations.js";
import { sequences } from "./checks/sequences.js";
import { singleEffects } from "./checks/single-effects.js";
import { singleRequests } from "./checks/single-requests.js";
import { tenants } from "./checks/tenants.js";
import { transitions } from "./checks/transitions.js";
import { unknownOutcomes } from "./checks/unknown-outcomes.js";
import { wedgedKeys } from "./checks/wedged-keys.js";

/** All invariants, in their order; some are decided in parts. */
export const checks: readonly Check[] = [
  singleEffects,
  derivedNames,
  amounts,
  reservations,
  ledger,
  durableAnswers,
  knownEffects,
  singleRequests,
  begunRequests,
  equalAnswers,
  transitions,
  copiedAnswers,
  unknownOutcomes,
  notExecuted,
  histories,
  events,
  sequences,
  tenants,
  wedgedKeys,
  parkedOperations,
  boundedAttempts,
];
