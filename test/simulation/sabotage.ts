import { Code } from "../../src/idempotency/code.js";
import { CallError, ClaimLost, NotExecuted, Parked } from "../../src/idempotency/errors.js";
import type { Claim, IdempotencyStore } from "../../src/idempotency/store.js";
import { NOT_EXECUTED_REASON } from "./answers.js";
import type { Kind } from "./calls.js";
import type { Payment, Transaction } from "./database.js";
import type { ChangeBatches } from "./database-batches.js";
import type { Handlers } from "./handlers.js";

/** One of the rules that everything rests on, broken. */
export interface Sabotage {
  readonly store?: (store: IdempotencyStore<Transaction>) => IdempotencyStore<Transaction>;
  readonly processorKeyOf?: (kind: Kind, claim: Pick<Claim, "scope" | "fencingToken">) => string;
  readonly reserve?: (payment: Payment) => Payment;
  readonly handlers?: (handlers: Handlers) => Handlers;
  readonly batches?: ChangeBatches;
}

const SEPARATOR = "#";

/** Every call has a record of its own, as if the primary key had been dropped. */
export const withoutUniqueClaim: Sabotage = {
  store(store) {
    const ownClaims = new WeakMap<Claim, Claim>();
    const own = (claim: Claim): Claim => ownClaims.get(claim) ?? claim;
    const shown = (claim: Claim): Claim => {
      const [key = ""] = claim.scope.key.split(SEPARATOR);
      const shownClaim = { ...claim, scope: { ...claim.scope, key } };
      ownClaims.set(shownClaim, claim);
      return shownClaim;
    };
    return {
      ...store,
      async claim(request) {
        const key = `${request.scope.key}${SEPARATOR}${request.claimId}`;
        const result = await store.claim({ ...request, scope: { ...request.scope, key } });
        return result.kind === "claimed" ? { ...result, claim: shown(result.claim) } : result;
      },
      async takeOverExpired(options) {
        const takenOver = await store.takeOverExpired(options);
        return takenOver.map((one) => ({ ...one, claim: shown(one.claim) }));
      },
      extend: (claim, leaseMs) => store.extend(own(claim), leaseMs),
      complete: (claim, ...outcome) => store.complete(own(claim), ...outcome),
      completeWithin: (transaction, claim, ...outcome) =>
        store.completeWithin(transaction, own(claim), ...outcome),
      ownsWithin: (transaction, claim) => store.ownsWithin(transaction, own(claim)),
      release: (claim) => store.release(own(claim)),
      suspend: (claim, suspension) => store.suspend(own(claim), suspension),
    };
  },
};

/** Whoever ever had a claim may begin and complete, whatever its token. */
export const withoutFencing: Sabotage = {
  store(store) {
    const newest = new Map<string, Claim>();
    const nameOf = ({ scope }: Claim) => JSON.stringify(scope);
    const current = (claim: Claim): Claim => newest.get(nameOf(claim)) ?? claim;
    return {
      ...store,
      async claim(request) {
        const result = await store.claim(request);
        if (result.kind === "claimed") {
          newest.set(nameOf(result.claim), result.claim);
        }
        return result;
      },
      async takeOverExpired(options) {
        const takenOver = await store.takeOverExpired(options);
        for (const { claim } of takenOver) {
          newest.set(nameOf(claim), claim);
        }
        return takenOver;
      },
      async reclaim(scope, held) {
        const takenOver = await store.reclaim(scope, held);
        if (takenOver !== undefined) {
          newest.set(nameOf(takenOver.claim), takenOver.claim);
        }
        return takenOver;
      },
      complete: (claim, ...outcome) => store.complete(current(claim), ...outcome),
      completeWithin: (transaction, claim, ...outcome) =>
        store.completeWithin(transaction, current(claim), ...outcome),
      ownsWithin: (transaction, claim) => store.ownsWithin(transaction, current(claim)),
    };
  },
};

/** Every attempt asks the processor under a key of its own. */
export const withRandomProcessorKey: Sabotage = {
  processorKeyOf: (kind, { fencingToken }) => `${kind}_${fencingToken}`,
};

/** Nothing is set aside for what is in flight. */
export const withoutReservation: Sabotage = {
  reserve: (payment) => payment,
};

/** Each item of a batch gets the result of another. */
export const mixingUpResults: Sabotage = {
  batches: ({ run, ...options }) => ({
    ...options,
    async run(items, turn) {
      const [first, ...others] = await run(items, turn);
      return first === undefined ? others : [...others, first];
    },
  }),
};

/** Duplicates that wait for one claim are told that they are its owner. */
export const withManyOwners: Sabotage = {
  batches: ({ share, ...options }) => ({
    ...options,
    ...(share === undefined ? {} : { share: { ...share, follow: (result) => result } }),
  }),
};

/** A batch holds several transactions on one payment, of which none sees what the others reserve. */
export const batchingOnePayment: Sabotage = {
  batches(options) {
    let items = 0;
    return {
      ...options,
      subjectOf() {
        items += 1;
        return String(items);
      },
    };
  },
};

/** What is not known counts as not executed. */
export const guessing: Sabotage = {
  handlers: ({ payment, rerun, hold }) => ({
    payment: guess(payment),
    rerun: guess(rerun),
    hold: guess(hold),
  }),
};

function guess(handler: Handlers[Kind]): Handlers[Kind] {
  return (request) => async (execution) => {
    try {
      return await handler(request)(execution);
    } catch (error) {
      if (error instanceof CallError || error instanceof Parked || error instanceof ClaimLost) {
        throw error;
      }
      throw new NotExecuted({
        code: Code.UNAVAILABLE,
        reason: NOT_EXECUTED_REASON,
        message: "guessed",
        next: "retry_same_key",
      });
    }
  };
}
