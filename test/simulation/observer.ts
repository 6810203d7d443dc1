import { sameRequest } from "../../src/idempotency/fingerprint.js";
import type { Outcome } from "../../src/idempotency/outcome.js";
import { finalReply } from "../../src/idempotency/reply.js";
import type { Scope } from "../../src/idempotency/scope.js";
import type { Claim, IdempotencyStore } from "../../src/idempotency/store.js";
import { type Answer, readAnswer } from "./answers.js";
import { fingerprintOf, nameOf, type SentCall } from "./calls.js";
import type { Transaction } from "./database.js";
import type { Scheduler } from "./scheduler.js";
import type { Trace } from "./trace.js";
import type { Violation, ViolationKind } from "./violations.js";

/** One record, from its insertion until its key was free again, if ever. */
export interface RecordLife {
  readonly scope: Scope;
  readonly fingerprint: Claim["fingerprint"];
  /** Of each owner, in their order. */
  readonly tokens: bigint[];
  completion?: { readonly token: bigint; readonly content: string };
  releasedAtMs?: number;
}

/**
 * Watches the store from outside and knows, independently of it, who owns what
 * and what was answered. Reports what must never happen at the moment it does.
 */
export interface Observer {
  watch(store: IdempotencyStore<Transaction>): IdempotencyStore<Transaction>;
  /** A row of the database was written under this claim. */
  written(what: string, claim: Pick<Claim, "scope" | "fencingToken">): void;
  /** An answer leaves its process. The call's id is that of its claim. */
  answered(call: SentCall, answer: Answer): void;
  report(kind: ViolationKind, scope: Scope, detail: string): void;
  /** Counts something that the rules are there for. */
  saw(what: string): void;
  /** The records that a key had. */
  lives(scope: Scope): readonly RecordLife[];
  violations(): readonly Violation[];
  /** How often something happened that the rules are there for. */
  sights(): ReadonlyMap<string, number>;
}

export function createObserver(scheduler: Scheduler, trace: Trace): Observer {
  const violations: Violation[] = [];
  const livesByName = new Map<string, RecordLife[]>();
  /** Calls that were told for good that they are not executed. */
  const refusedCalls = new Set<string>();
  const sights = new Map<string, number>();
  let highestToken = 0n;

  function saw(what: string): void {
    sights.set(what, (sights.get(what) ?? 0) + 1);
  }

  function report(kind: ViolationKind, scope: Scope, detail: string): void {
    const name = nameOf(scope);
    trace.add(`VIOLATION ${kind}: ${detail}`, name);
    violations.push({ kind, name, detail, line: trace.length() });
  }

  function livesOf(scope: Scope): RecordLife[] {
    const name = nameOf(scope);
    const lives = livesByName.get(name) ?? [];
    livesByName.set(name, lives);
    return lives;
  }

  function granted(claim: Claim): void {
    const { scope, claimId, fencingToken: token, fingerprint } = claim;
    const lives = livesOf(scope);
    const life = lives.at(-1);
    const isOpen = life !== undefined && life.releasedAtMs === undefined;
    if (isOpen && life.tokens.at(-1) === token) {
      return; // asked again
    }
    if (token <= highestToken) {
      report("token_does_not_grow", scope, `${token} after ${highestToken}`);
    }
    highestToken = token;
    if (refusedCalls.has(claimId)) {
      report(
        "executed_after_a_definite_answer",
        scope,
        `${claimId} owns token ${token}, though its caller was told that it is not executed`,
      );
    }
    if (isOpen && (claim.attempt === 1 || life.completion !== undefined)) {
      const tokens = [...life.tokens, token].join(", ");
      report("second_owner", scope, `one record, tokens ${tokens}`);
    }
    if (isOpen) {
      saw("claim taken over");
      life.tokens.push(token);
    } else {
      lives.push({ scope, fingerprint, tokens: [token] });
    }
  }

  function written(what: string, claim: Pick<Claim, "scope" | "fencingToken">): void {
    const token = claim.fencingToken;
    const life = livesOf(claim.scope).at(-1);
    if (life?.tokens.at(-1) !== token || life.releasedAtMs !== undefined) {
      report("late_owner_wrote", claim.scope, `${what} under token ${token}`);
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

  function completion(claim: Claim, outcome: Outcome, wrote: boolean): boolean {
    const life = livesOf(claim.scope).at(-1);
    if (!wrote || life === undefined) {
      return wrote;
    }
    const token = claim.fencingToken;
    const { content } = readAnswer(finalReply(outcome));
    if (life.completion === undefined) {
      life.completion = { token, content };
    } else if (life.completion.token !== token || life.completion.content !== content) {
      const first = life.completion.token;
      report("executed_twice", claim.scope, `completed by ${first} and by ${token}`);
    }
    return wrote;
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
      async complete(claim, outcome, retentionMs) {
        const writing = store.complete(claim, outcome, retentionMs);
        return completion(claim, outcome, await write("complete", claim, writing));
      },
      async completeWithin(transaction, claim, outcome, retentionMs) {
        const writing = store.completeWithin(transaction, claim, outcome, retentionMs);
        return completion(claim, outcome, await write("complete", claim, writing));
      },
      async release(claim) {
        const wrote = await write("release", claim, store.release(claim));
        const life = livesOf(claim.scope).at(-1);
        if (wrote && life !== undefined) {
          life.releasedAtMs = scheduler.nowMs();
        }
        return wrote;
      },
      suspend: (claim, suspension) => write("suspend", claim, store.suspend(claim, suspension)),
      async reclaim(scope, held) {
        const takenOver = await store.reclaim(scope, held);
        if (takenOver !== undefined) {
          granted(takenOver.claim);
        }
        return takenOver;
      },
    }),
    written,

    answered(call, { meaning, content }) {
      const { scope, sentAtMs } = call;
      const lives = livesOf(scope);
      saw(`answer ${meaning}`);
      const fingerprint = fingerprintOf(call.request);
      const isSame = (life: RecordLife) => sameRequest(fingerprint, life.fingerprint);
      const wasThere = (life: RecordLife) =>
        (life.releasedAtMs ?? Number.POSITIVE_INFINITY) >= sentAtMs;
      switch (meaning) {
        case "final":
          if (lives.at(-1)?.completion?.content !== content) {
            report("answer_not_durable", scope, `${call.id} is told ${content}`);
          }
          break;
        case "not_executed":
          refusedCalls.add(call.id);
          if (
            !lives.some((life) => isSame(life) && life.releasedAtMs !== undefined && wasThere(life))
          ) {
            report("answer_out_of_nowhere", scope, `${call.id} is told not executed`);
          }
          break;
        case "key_reused":
          refusedCalls.add(call.id);
          if (!lives.some((life) => !isSame(life) && wasThere(life))) {
            report("answer_out_of_nowhere", scope, `${call.id} is told key reused`);
          }
          break;
        case "key_expired":
          if (lives.at(-1)?.completion === undefined) {
            report("answer_out_of_nowhere", scope, `${call.id} is told key expired`);
          }
          break;
        case "not_asked":
          refusedCalls.add(call.id);
          break;
        case "indeterminate":
          break;
      }
    },
    report,
    saw,
    lives: (scope) => livesOf(scope),
    violations: () => violations,
    sights: () => sights,
  };
}
