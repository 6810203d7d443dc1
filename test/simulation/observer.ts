import { finalReply } from "../../src/idempotency/answers/reply.js";
import type { Outcome } from "../../src/idempotency/port/outcome.js";
import type { Scope } from "../../src/idempotency/port/scope.js";
import type { Claim, IdempotencyStore } from "../../src/idempotency/port/store.js";
import { type Fingerprint, sameRequest } from "../../src/idempotency/request/fingerprint.js";
import { type Answer, readAnswer } from "./answers.js";
import { fingerprintOf, nameOf, type SentCall } from "./calls.js";
import type { Transaction } from "./database.js";
import { createLives, type LivesBackup, type RecordLife } from "./lives.js";
import type { Scheduler } from "./scheduler.js";
import type { Trace } from "./trace.js";
import type { Violation, ViolationKind } from "./violations.js";

/**
 * Watches the store from outside and knows, independently of it, who owns what
 * and what was answered. Reports what must never happen at the moment it does.
 */
export interface Observer {
  watch(store: IdempotencyStore<Transaction>): IdempotencyStore<Transaction>;
  /** A row of the database was written under this claim. */
  written(what: string, claim: Claim): void;
  /** Something happens for a request that only one of a key's requests may ever have. */
  acts(scope: Scope, fingerprint: Fingerprint): void;
  /**
   * An answer leaves its process. The call's id is that of its claim; the
   * generation is the database's as its process knew it when the call came.
   */
  answered(call: SentCall, answer: Answer, knownGeneration: number): void;
  report(kind: ViolationKind, scope: Scope, detail: string): void;
  /** Counts something that the rules are there for. */
  saw(what: string): void;
  /** The records that a key had and has, in the database as it is. */
  lives(scope: Scope): readonly RecordLife[];
  /** Those, and the ones that a restore has lost. */
  everLived(scope: Scope): readonly RecordLife[];
  /** How often the database was restored. */
  generation(): number;
  /** The database is copied, and later put back. */
  backUp(): LivesBackup;
  putBack(backup: LivesBackup): void;
  violations(): readonly Violation[];
  /** How often something happened that the rules are there for. */
  sights(): ReadonlyMap<string, number>;
}

export function createObserver({
  scheduler,
  trace,
  onWrite,
}: {
  readonly scheduler: Scheduler;
  readonly trace: Trace;
  /** Told of each write to a record that no transaction holds. */
  readonly onWrite: () => void;
}): Observer {
  const violations: Violation[] = [];
  const lives = createLives();
  /** Calls that were told for good that they are not executed, and of which generation. */
  const refusedCalls = new Map<string, number>();
  const actsFor = new Map<string, Fingerprint>();
  const sights = new Map<string, number>();
  let restoredAtMs = Number.NEGATIVE_INFINITY;

  function saw(what: string): void {
    sights.set(what, (sights.get(what) ?? 0) + 1);
  }

  function report(kind: ViolationKind, scope: Scope, detail: string): void {
    const name = nameOf(scope);
    trace.add(`VIOLATION ${kind}: ${detail}`, name);
    violations.push({ kind, name, detail, line: trace.length() });
  }

  function granted({ scope, claimId, fencingToken: token, fingerprint, attempt }: Claim): void {
    const life = lives.openOf(scope);
    const owner = life?.owners.at(-1);
    if (owner?.fencingToken === token && owner.claimId === claimId) {
      return; // asked again
    }
    if (token <= lives.highestToken) {
      report("token_does_not_grow", scope, `${token} after ${lives.highestToken}`);
    }
    lives.highestToken = token;
    if (refusedCalls.get(claimId) === lives.generation()) {
      report(
        "executed_after_a_definite_answer",
        scope,
        `${claimId} owns token ${token}, though its caller was told that it is not executed`,
      );
    }
    if (life === undefined) {
      const bornAtMs = scheduler.nowMs();
      const owners = [{ fencingToken: token, claimId }];
      lives.add({ scope, fingerprint, bornAtMs, owners, isReopened: false, isResolved: false });
      return;
    }
    const isFirst = attempt === 1 && !life.isReopened;
    if (isFirst || life.completion !== undefined) {
      const tokens = [...life.owners.map((one) => one.fencingToken), token].join(", ");
      report("second_owner", scope, `one record, tokens ${tokens}`);
    }
    if (!sameRequest(fingerprint, life.fingerprint)) {
      report("another_request_executed", scope, `token ${token} is for another request`);
    }
    saw(life.isReopened ? "claim of a reopened record" : "claim taken over");
    life.isReopened = false;
    life.owners.push({ fencingToken: token, claimId });
  }

  function written(what: string, { scope, fencingToken: token, claimId }: Claim): void {
    const owner = lives.openOf(scope)?.owners.at(-1);
    if (owner?.fencingToken !== token || owner.claimId !== claimId) {
      report("late_owner_wrote", scope, `${what} under token ${token} of ${claimId}`);
    }
  }

  async function write(what: string, claim: Claim, writing: Promise<boolean>): Promise<boolean> {
    const wrote = await writing;
    if (wrote) {
      written(what, claim);
    } else {
      saw(`${what} of a late owner refused`);
    }
    return wrote;
  }

  /** The same, outside of any transaction. */
  async function writeAlone(
    what: string,
    claim: Claim,
    writing: Promise<boolean>,
    then: (claim: Claim) => void,
  ): Promise<boolean> {
    const wrote = await write(what, claim, writing);
    if (wrote) {
      then(claim);
      onWrite();
    }
    return wrote;
  }

  function completed({ scope, fencingToken: token }: Claim, outcome: Outcome): void {
    const life = lives.openOf(scope);
    if (life === undefined) {
      return;
    }
    const { content } = readAnswer(finalReply(outcome));
    if (life.completion === undefined) {
      life.completion = { token, content };
    } else if (life.completion.token !== token || life.completion.content !== content) {
      const first = life.completion.token;
      report("executed_twice", scope, `completed by ${first} and by ${token}`);
    }
  }

  function released({ scope }: Claim): void {
    const life = lives.openOf(scope);
    if (life?.isResolved === true) {
      life.isReopened = true;
    } else if (life !== undefined) {
      life.released = { atMs: scheduler.nowMs(), generation: lives.generation() };
    }
  }

  function reopened({ scope }: Claim): void {
    const life = lives.openOf(scope);
    if (life !== undefined) {
      life.isReopened = true;
    }
  }

  /** Whether an answer was durable in the database, as it is or as the process knew it. */
  function wasDurable(scope: Scope, content: string, knownGeneration: number): boolean {
    return (
      lives.of(scope).at(-1)?.completion?.content === content ||
      lives
        .lostAnswers(scope)
        .some((lost) => lost.content === content && lost.generation >= knownGeneration)
    );
  }

  return {
    watch: (store) => ({
      ...store,
      async claim(request) {
        const result = await store.claim(request);
        if (result.kind === "claimed") {
          granted(result.claim);
        }
        return result;
      },
      async takeOverExpired(request) {
        const takenOver = await store.takeOverExpired(request);
        for (const { claim } of takenOver) {
          granted(claim);
        }
        return takenOver;
      },
      extend: (claim, leaseMs) => write("extend", claim, store.extend(claim, leaseMs)),
      complete: (claim, outcome, retentionMs) =>
        writeAlone("complete", claim, store.complete(claim, outcome, retentionMs), () =>
          completed(claim, outcome),
        ),
      async completeWithin(transaction, completions) {
        const writing = store.completeWithin(transaction, completions);
        return Promise.all(
          completions.map(async ({ claim, outcome }, index) => {
            const writingOne = writing.then((written) => written[index] ?? false);
            const wrote = await write("complete", claim, writingOne);
            if (wrote) {
              completed(claim, outcome);
            }
            return wrote;
          }),
        );
      },
      release: (claim) => writeAlone("release", claim, store.release(claim), released),
      reopen: (claim) => writeAlone("reopen", claim, store.reopen(claim), reopened),
      async reopenWithin(transaction, claim) {
        const wrote = await write("reopen", claim, store.reopenWithin(transaction, claim));
        if (wrote) {
          reopened(claim);
        }
        return wrote;
      },
      suspend: (claim, suspension) => write("suspend", claim, store.suspend(claim, suspension)),
      async reclaim(scope, held) {
        const before = (await store.get(scope))?.record;
        const takenOver = await store.reclaim(scope, held);
        if (takenOver !== undefined) {
          if (before?.state !== "held" || before.fencingToken !== held.fencingToken) {
            report("resolved_what_is_not_held", scope, `${before?.state} ${before?.fencingToken}`);
          }
          granted(takenOver.claim);
          const life = lives.openOf(scope);
          if (life !== undefined) {
            life.isResolved = true;
          }
        }
        return takenOver;
      },
    }),
    written,

    acts(scope, fingerprint) {
      const name = nameOf(scope);
      const first = actsFor.get(name);
      if (first === undefined) {
        actsFor.set(name, fingerprint);
      } else if (!sameRequest(first, fingerprint)) {
        report("another_request_executed", scope, "one request began, and another one acts");
      }
    },

    answered(call, { meaning, content }, knownGeneration) {
      const { scope, sentAtMs } = call;
      const ever = lives.ever(scope);
      saw(`answer ${meaning}`);
      const fingerprint = fingerprintOf(call.request);
      const isSame = (life: RecordLife) => sameRequest(fingerprint, life.fingerprint);
      const wasFreed = (life: RecordLife) => life.released !== undefined || life.isResolved;
      const wasThere = (life: RecordLife) =>
        (life.released?.atMs ?? Number.POSITIVE_INFINITY) >= sentAtMs;
      switch (meaning) {
        case "final":
          if (!wasDurable(scope, content, knownGeneration)) {
            report("answer_not_durable", scope, `${call.id} is told ${content}`);
          }
          break;
        case "not_executed":
          refusedCalls.set(call.id, lives.generation());
          if (!ever.some((life) => isSame(life) && wasFreed(life) && wasThere(life))) {
            report("answer_out_of_nowhere", scope, `${call.id} is told not executed`);
          }
          break;
        case "invalid": {
          refusedCalls.set(call.id, lives.generation());
          const { bornAtMs = Number.POSITIVE_INFINITY } = lives.openOf(scope) ?? {};
          if (bornAtMs < sentAtMs && restoredAtMs < sentAtMs) {
            report("answer_out_of_nowhere", scope, `${call.id} is told invalid before its key's`);
          }
          break;
        }
        case "key_reused":
          refusedCalls.set(call.id, lives.generation());
          if (!ever.some((life) => !isSame(life) && wasThere(life))) {
            report("answer_out_of_nowhere", scope, `${call.id} is told key reused`);
          }
          break;
        case "key_expired":
          if (!ever.some((life) => life.completion !== undefined)) {
            report("answer_out_of_nowhere", scope, `${call.id} is told key expired`);
          }
          break;
        case "not_asked":
          refusedCalls.set(call.id, lives.generation());
          break;
        case "indeterminate":
          break;
      }
    },
    report,
    saw,
    lives: lives.of,
    everLived: lives.ever,
    generation: lives.generation,
    backUp: lives.backUp,
    putBack(backup) {
      restoredAtMs = scheduler.nowMs();
      lives.putBack(backup);
    },
    violations: () => violations,
    sights: () => sights,
  };
}
