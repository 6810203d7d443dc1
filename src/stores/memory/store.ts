import { randomUUID } from "node:crypto";
import { type Clock, systemClock } from "../../idempotency/clock.js";
import type { Outcome } from "../../idempotency/port/outcome.js";
import type { Scope } from "../../idempotency/port/scope.js";
import {
  type Claim,
  type ClaimRequest,
  type ClaimResult,
  type IdempotencyStore,
  type OnLostOwner,
  type RecordEvent,
  type RecordState,
  recoveryBackoffMs,
  type StoredRecord,
} from "../../idempotency/port/store.js";
import { inTurns } from "../../idempotency/recovery/recovery-turns.js";
import { sameRequest } from "../../idempotency/request/fingerprint.js";
import { scopeKey } from "../scope-key.js";

/** All that a memory store holds. A test that keeps a copy can put it back. */
export interface MemoryState {
  readonly records: Map<string, MemoryRecord>;
  lastToken: bigint;
}

export interface MemoryRecord {
  claim: Claim;
  state: RecordState;
  request: Uint8Array;
  onLostOwner: OnLostOwner;
  readonly createTimeMs: number;
  claimTimeMs: number;
  leaseUntilMs: number;
  completeTimeMs?: number;
  expireTimeMs?: number;
  outcome?: Outcome;
  unknownReason?: string;
  readonly events: RecordEvent[];
}

/** The text in the history of a reopened record that has an owner again. */
const REOPENED = "by the same request, as the key was free for it again";

export interface MemoryStoreOptions {
  readonly clock?: Clock;
  /** A unique id for each claim that is taken over. */
  readonly newClaimId?: () => string;
  /** The object in which the store keeps its records. Default: one of its own. */
  readonly state?: MemoryState;
}

export function emptyMemoryState(): MemoryState {
  return { records: new Map(), lastToken: 0n };
}

/**
 * Makes a store in memory, the reference for all others: for tests, examples and
 * services whose keys need not survive the process. It loses everything with the
 * process, and keeps a record for each key until then.
 */
export function createMemoryStore({
  clock = systemClock,
  newClaimId = randomUUID,
  state = emptyMemoryState(),
}: MemoryStoreOptions = {}): IdempotencyStore {
  const { records } = state;

  const nextToken = () => {
    state.lastToken += 1n;
    return state.lastToken;
  };

  /** The record, if the claim owns it and it is in one of the states. */
  function owned(claim: Claim, ...states: RecordState[]): MemoryRecord | undefined {
    const record = records.get(scopeKey(claim.scope));
    const isOwner =
      record?.claim.fencingToken === claim.fencingToken &&
      record.claim.claimId === claim.claimId &&
      states.includes(record.state);
    return isOwner ? record : undefined;
  }

  function lostItsOwner(record: MemoryRecord, onLostOwner: OnLostOwner): boolean {
    return (
      record.state === "executing" &&
      record.onLostOwner === onLostOwner &&
      record.leaseUntilMs < clock.nowMs()
    );
  }

  function isHeld(record: MemoryRecord): boolean {
    return record.state === "held" || lostItsOwner(record, "hold");
  }

  function isExpired(record: MemoryRecord): boolean {
    return record.expireTimeMs !== undefined && record.expireTimeMs < clock.nowMs();
  }

  function takeOver(
    record: MemoryRecord,
    by: {
      readonly claimId: string;
      readonly leaseMs: number;
      readonly event: Pick<RecordEvent, "type" | "detail">;
    },
  ): Claim {
    const nowMs = clock.nowMs();
    record.claim = {
      ...record.claim,
      claimId: by.claimId,
      fencingToken: nextToken(),
      attempt: record.state === "released" ? 1 : record.claim.attempt + 1,
    };
    record.state = "executing";
    const { fencingToken } = record.claim;
    record.events.push({ ...by.event, timeMs: nowMs, fencingToken });
    record.claimTimeMs = nowMs;
    record.leaseUntilMs = nowMs + by.leaseMs;
    return record.claim;
  }

  function insert({ scope, claimId, fingerprint, ...request }: ClaimRequest): Claim {
    const nowMs = clock.nowMs();
    const claim: Claim = { scope, claimId, fingerprint, fencingToken: nextToken(), attempt: 1 };
    records.set(scopeKey(scope), {
      claim,
      state: "executing",
      request: request.request,
      onLostOwner: request.onLostOwner,
      createTimeMs: nowMs,
      claimTimeMs: nowMs,
      leaseUntilMs: nowMs + request.leaseMs,
      events: [],
    });
    return claim;
  }

  function claim(request: ClaimRequest): ClaimResult {
    const record = records.get(scopeKey(request.scope));
    if (record === undefined) {
      return { kind: "claimed", claim: insert(request) };
    }
    if (record.state === "executing" && record.claim.claimId === request.claimId) {
      return { kind: "claimed", claim: record.claim };
    }
    if (!sameRequest(record.claim.fingerprint, request.fingerprint)) {
      return { kind: "mismatch" };
    }
    if (record.state === "expired" || isExpired(record)) {
      return { kind: "expired" };
    }
    if (record.outcome !== undefined) {
      return { kind: "replay", outcome: record.outcome };
    }
    if (isHeld(record)) {
      return { kind: "held", heldMs: clock.nowMs() - record.leaseUntilMs };
    }
    if (record.state === "released") {
      record.request = request.request;
      record.onLostOwner = request.onLostOwner;
      const event = { type: "taken_over", detail: REOPENED } as const;
      return { kind: "claimed", claim: takeOver(record, { ...request, event }) };
    }
    if (lostItsOwner(record, "rerun")) {
      const event = { type: "taken_over", detail: "by a duplicate call" } as const;
      return { kind: "claimed", claim: takeOver(record, { ...request, event }) };
    }
    return {
      kind: "in_progress",
      elapsedMs: clock.nowMs() - record.claimTimeMs,
      leaseRemainingMs: record.leaseUntilMs - clock.nowMs(),
    };
  }

  function finish(record: MemoryRecord, outcome: Outcome, retentionMs: number): void {
    const nowMs = clock.nowMs();
    record.state = "completed";
    record.outcome = outcome;
    record.completeTimeMs = nowMs;
    record.expireTimeMs = nowMs + retentionMs;
    delete record.unknownReason;
  }

  async function complete(claim: Claim, outcome: Outcome, retentionMs: number): Promise<boolean> {
    const record = owned(claim, "executing", "held");
    if (record !== undefined) {
      finish(record, outcome, retentionMs);
    }
    return record !== undefined || owned(claim, "completed") !== undefined;
  }

  async function reopen(claim: Claim): Promise<boolean> {
    const record = owned(claim, "executing", "held");
    if (record !== undefined) {
      record.state = "released";
      delete record.unknownReason;
    }
    return record !== undefined;
  }

  return {
    claim: async (request) => claim(request),

    async extend(claim, leaseMs) {
      const record = owned(claim, "executing");
      if (record !== undefined) {
        record.leaseUntilMs = clock.nowMs() + leaseMs;
      }
      return record !== undefined;
    },

    complete,
    completeWithin: (_transaction, completions) =>
      Promise.all(
        completions.map(({ claim, outcome, retentionMs }) => complete(claim, outcome, retentionMs)),
      ),
    committed: async () => {},
    ownWithin: async (_transaction, claims) =>
      claims.map((claim) => owned(claim, "executing") !== undefined),

    async release(claim) {
      const record = owned(claim, "executing", "held");
      if (record?.events.some(({ type }) => type === "resolved")) {
        return reopen(claim);
      }
      if (record !== undefined) {
        records.delete(scopeKey(claim.scope));
      }
      return record !== undefined;
    },

    reopen,
    reopenWithin: (_transaction, claim) => reopen(claim),

    async suspend(claim, suspension) {
      const record = owned(claim, "executing");
      if (record === undefined) {
        return false;
      }
      const nowMs = clock.nowMs();
      record.unknownReason = suspension.reason;
      record.events.push({
        timeMs: nowMs,
        type: "outcome_unknown",
        fencingToken: claim.fencingToken,
        detail: suspension.reason,
      });
      if (suspension.kind === "hold") {
        record.state = "held";
      }
      record.leaseUntilMs = nowMs + (suspension.kind === "rerun" ? suspension.afterMs : 0);
      return true;
    },

    async takeOverExpired({ operations, limit, leaseMs, exceptTenants = [] }) {
      const due = [...records.values()]
        .filter((record) => lostItsOwner(record, "rerun"))
        .filter(({ claim: { scope } }) => operations.includes(scope.operation))
        .filter(({ claim: { scope } }) => !exceptTenants.includes(scope.tenant))
        .map((record) => {
          const { leaseUntilMs, claim } = record;
          return { record, leaseUntilMs, tenant: claim.scope.tenant, attempts: claim.attempt };
        })
        .filter(
          ({ leaseUntilMs, attempts }) =>
            leaseUntilMs + recoveryBackoffMs(attempts) < clock.nowMs(),
        );
      return inTurns(due)
        .slice(0, limit)
        .map(({ record }) => record)
        .map((record) => ({
          claim: takeOver(record, {
            claimId: newClaimId(),
            leaseMs,
            event: { type: "taken_over", detail: "by recovery" },
          }),
          request: record.request,
        }));
    },

    async reap(limit) {
      const reaped = [...records.values()]
        .filter((record) => record.state === "completed" && isExpired(record))
        .slice(0, limit);
      for (const record of reaped) {
        record.state = "expired";
        delete record.outcome;
      }
      return reaped.length;
    },

    async reclaim(scope, { fencingToken, reason, leaseMs }) {
      const record = records.get(scopeKey(scope));
      if (record?.claim.fencingToken !== fencingToken || !isHeld(record)) {
        return undefined;
      }
      const event = { type: "resolved", detail: reason } as const;
      return {
        claim: takeOver(record, { claimId: newClaimId(), leaseMs, event }),
        request: record.request,
      };
    },

    async get(scope) {
      const record = records.get(scopeKey(scope));
      return record && { record: view(record), events: record.events };
    },

    async list({ tenant, operation, state, pageSize, pageToken }) {
      const offset = pageToken === undefined ? 0 : Number(pageToken);
      const matching = [...records.values()]
        .map(view)
        .filter(
          (record) =>
            record.tenant === tenant &&
            (operation === undefined || record.operation === operation) &&
            (state === undefined || record.state === state),
        )
        .reverse();
      const end = offset + pageSize;
      return {
        records: matching.slice(offset, end),
        ...(end < matching.length ? { nextPageToken: String(end) } : {}),
      };
    },
  };

  function view(record: MemoryRecord): StoredRecord {
    const { claim, completeTimeMs, expireTimeMs, outcome, unknownReason } = record;
    const state = isHeld(record) ? "held" : record.state;
    return {
      tenant: claim.scope.tenant,
      ...(state === "expired" ? {} : nameOf(claim.scope)),
      state,
      fingerprint: claim.fingerprint,
      fencingToken: claim.fencingToken,
      claimId: claim.claimId,
      attempts: claim.attempt,
      createTimeMs: record.createTimeMs,
      claimTimeMs: record.claimTimeMs,
      ...(state === "executing" ? { leaseRemainingMs: record.leaseUntilMs - clock.nowMs() } : {}),
      ...(completeTimeMs === undefined ? {} : { completeTimeMs }),
      ...(expireTimeMs === undefined ? {} : { expireTimeMs }),
      ...(outcome === undefined ? {} : { outcome }),
      ...(unknownReason === undefined ? {} : { unknownReason }),
    };
  }
}

function nameOf({ operation, key }: Scope): Pick<StoredRecord, "operation" | "key"> {
  return { operation, key };
}
