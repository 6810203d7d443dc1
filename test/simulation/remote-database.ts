import type { Scope } from "../../src/idempotency/port/scope.js";
import type { Claim, IdempotencyStore } from "../../src/idempotency/port/store.js";
import type { Random } from "../support/random.js";
import { nameOf } from "./calls.js";
import { type Database, keepResult, type Transaction } from "./database.js";
import type { Caller, Network, Server } from "./network.js";

/** How long a process waits for the database. Milliseconds. */
export const DATABASE_TIMEOUT_MS = 2_000;

/** How a process reaches the database. */
export interface RemoteDatabase {
  readonly store: IdempotencyStore<Transaction>;
  /** Rejects with what the work threw, or for a reply that was lost: then it may have committed. */
  transact<Result>(
    scope: Scope,
    work: (transaction: Transaction) => Promise<Result>,
  ): Promise<Result>;
}

export function connectDatabase(options: {
  readonly database: Database;
  readonly network: Network;
  readonly from: Caller;
  readonly to: Server;
  readonly random: Random;
  /** How many transactions fail at their commit. */
  readonly rollBackRate: () => number;
}): RemoteDatabase {
  const { database, network, from, to, random, rollBackRate } = options;
  const { store } = database;

  function call<Result>(
    about: string,
    what: string,
    execute: () => Promise<Result>,
    describe: (result: Result) => string = String,
  ): Promise<Result> {
    return network.call({
      from,
      to,
      what,
      about,
      timeoutMs: DATABASE_TIMEOUT_MS,
      execute,
      describe,
    });
  }

  /** A write of an owner. */
  const write = ({ scope, fencingToken }: Claim, what: string, execute: () => Promise<boolean>) =>
    call(nameOf(scope), `${what} ${fencingToken}`, execute);

  return {
    store: {
      ...store, // what runs within a transaction runs where the transaction does
      claim: (request) =>
        call(
          nameOf(request.scope),
          `claim ${request.claimId}`,
          () => store.claim(request),
          (result) =>
            result.kind === "claimed"
              ? `claimed: token ${result.claim.fencingToken}, attempt ${result.claim.attempt}`
              : result.kind,
        ),
      extend: (claim, leaseMs) => write(claim, "extend", () => store.extend(claim, leaseMs)),
      complete: (claim, ...outcome) =>
        write(claim, "complete", () => store.complete(claim, ...outcome)),
      release: (claim) => write(claim, "release", () => store.release(claim)),
      reopen: (claim) => write(claim, "reopen", () => store.reopen(claim)),
      suspend: (claim, suspension) =>
        write(claim, `suspend (${suspension.kind}, ${suspension.reason})`, () =>
          store.suspend(claim, suspension),
        ),
      takeOverExpired: (request) =>
        call(
          "recovery",
          "takeOverExpired",
          () => store.takeOverExpired(request),
          (takenOver) => `${takenOver.length} claims`,
        ),
      reap: (limit) => call("reaper", "reap", () => store.reap(limit)),
      reclaim: (scope, held) =>
        call(
          nameOf(scope),
          `reclaim ${held.fencingToken}`,
          () => store.reclaim(scope, held),
          (takenOver) =>
            takenOver === undefined ? "refused" : `token ${takenOver.claim.fencingToken}`,
        ),
      get: (scope) =>
        call(
          nameOf(scope),
          "get",
          () => store.get(scope),
          (found) => found?.record.state ?? "no record",
        ),
      list: (filter) =>
        call(
          "operator",
          "list",
          () => store.list(filter),
          ({ records }) => `${records.length} records`,
        ),
    },
    async transact(scope, work) {
      const kept = keepResult(work);
      await call(
        nameOf(scope),
        "transaction",
        async () => {
          const end = random.chance(rollBackRate()) ? "roll_back" : "commit";
          const [settled] = await database.transact([kept.work], end);
          if (settled?.ok === false) {
            throw settled.error;
          }
        },
        () => "committed",
      );
      return kept.result();
    },
  };
}
