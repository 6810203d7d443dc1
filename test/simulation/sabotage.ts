import { Code } from "../../src/idempotency/answers/code.js";
import {
  CallError,
  ClaimLost,
  Final,
  NotExecuted,
  Parked,
} from "../../src/idempotency/answers/errors.js";
import { refusedReply } from "../../src/idempotency/answers/reply.js";
import type { Executor } from "../../src/idempotency/execution/executor.js";
import type { Claim, IdempotencyStore } from "../../src/idempotency/port/store.js";
import {
  CLOCK_MARGIN,
  createKeyWindow,
  type KeyWindow,
  type KeyWindowOptions,
} from "../../src/payments/key-window.js";
import { NOT_EXECUTED_REASON } from "./answers.js";
import type { Kind } from "./calls.js";
import type { Transaction } from "./database.js";
import type { ChangeBatches } from "./database-batches.js";
import { type Handlers, mapHandlers } from "./handlers.js";
import type { Charge } from "./processor.js";
import type { NameGeneration } from "./restores.js";
import type { StepRules } from "./steps.js";

/** One of the rules that everything rests on, broken. */
export interface Sabotage {
  readonly store?: (store: IdempotencyStore<Transaction>) => IdempotencyStore<Transaction>;
  readonly executor?: (executor: Executor<Transaction>) => Executor<Transaction>;
  readonly processorKeyOf?: (charge: Charge) => string;
  readonly steps?: Partial<StepRules>;
  readonly handlers?: (handlers: Handlers) => Handlers;
  readonly batches?: ChangeBatches;
  readonly nameGeneration?: NameGeneration;
  readonly restoredAgoMs?: () => number | undefined;
  readonly keyWindow?: (keyWindow: KeyWindow, options: KeyWindowOptions) => KeyWindow;
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
      completeWithin: (transaction, completions) =>
        store.completeWithin(
          transaction,
          completions.map((one) => ({ ...one, claim: own(one.claim) })),
        ),
      ownWithin: (transaction, claims) => store.ownWithin(transaction, claims.map(own)),
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
      completeWithin: (transaction, completions) =>
        store.completeWithin(
          transaction,
          completions.map((one) => ({ ...one, claim: current(one.claim) })),
        ),
      ownWithin: (transaction, claims) => store.ownWithin(transaction, claims.map(current)),
    };
  },
};

/** Every attempt asks the processor under a key of its own. */
export const withRandomProcessorKey: Sabotage = {
  processorKeyOf: ({ processorKey, claim }) => `${processorKey}_${claim.fencingToken}`,
};

/** Nothing is set aside for what is in flight. */
export const withoutReservation: Sabotage = {
  steps: {
    planned: ({ payment, ...plan }) => ({
      ...plan,
      payment: { ...payment, capturing: 0n, refunding: 0n, canceling: false },
    }),
  },
};

/** A step is written whatever has become of the payment that it was planned from. */
export const writingWhatIsOutdated: Sabotage = {
  steps: { isUnchanged: () => true },
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
  handlers: (handlers) => mapHandlers(handlers, guess),
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

/** A generation is what a counter among the rows says, which a restore puts back with them. */
export const countingGenerations: Sabotage = {
  nameGeneration: (_, counted) => `counted${counted}`,
};

/** Owners prove themselves with their token, which a restored sequence gives once more. */
export const fencingByTokenAlone: Sabotage = {
  store(store) {
    const newest = async (claim: Claim): Promise<Claim> => {
      const record = (await store.get(claim.scope))?.record;
      const { claimId } = record?.fencingToken === claim.fencingToken ? record : claim;
      return { ...claim, claimId };
    };
    return {
      ...store,
      complete: async (claim, ...outcome) => store.complete(await newest(claim), ...outcome),
      async completeWithin(transaction, completions) {
        const newestClaims = completions.map(async (one) => ({
          ...one,
          claim: await newest(one.claim),
        }));
        return store.completeWithin(transaction, await Promise.all(newestClaims));
      },
      ownWithin: async (transaction, claims) =>
        store.ownWithin(transaction, await Promise.all(claims.map(newest))),
      release: async (claim) => store.release(await newest(claim)),
      suspend: async (claim, suspension) => store.suspend(await newest(claim), suspension),
    };
  },
};

/** A restored database is the last word. */
export const believingRestoredRows: Sabotage = {
  restoredAgoMs: () => undefined,
};

/** That a payment is not there is an answer for good. */
export const keepingNotFound: Sabotage = {
  restoredAgoMs: () => undefined,
  handlers: (handlers) =>
    mapHandlers(handlers, (handler) => (request) => async (execution) => {
      try {
        return await handler(request)(execution);
      } catch (error) {
        throw error instanceof CallError && error.description.reason === "PAYMENT_NOT_FOUND"
          ? new Final(error.description)
          : error;
      }
    }),
};

/** A key that was not executed is free for every request, and goes on with what began under it. */
export const forgettingRequests: Sabotage = {
  store: (store) => ({
    ...store,
    reopen: (claim) => store.release(claim),
    reopenWithin: (_, claim) => store.release(claim),
  }),
  steps: {
    found: (operation, { fingerprint }) => ({ ...operation, fingerprint }),
  },
};

/** What was not executed ends without its operation. */
export const leavingOperations: Sabotage = {
  steps: { endsWithKey: false },
};

/** An operation may be sent until the processor forgets its key. */
export const withoutMargin: Sabotage = {
  keyWindow: (_, { windowMs, ...options }) =>
    createKeyWindow({ ...options, windowMs: windowMs / (1 - CLOCK_MARGIN), longestCallMs: 0 }),
};

/** How old an operation is only the database's clock knows. */
export const agingByTheDatabase: Sabotage = {
  steps: { ageOf: (_, { byDatabaseMs }) => byDatabaseMs },
};

/** How old an operation is, is looked at when it is read. */
export const agingWhenRead: Sabotage = {
  keyWindow: (keyWindow) => ({
    ...keyWindow,
    isOpen: (age) => keyWindow.isOpen({ ...age, readAt: keyWindow.readMoment() }),
  }),
};

/** A request that is not valid is refused whatever its key has answered. */
export const refusingBeforeTheRecord: Sabotage = {
  executor: (executor) => ({
    ...executor,
    execute: async (request) =>
      request.invalid === undefined ? executor.execute(request) : refusedReply(request.invalid),
  }),
};
