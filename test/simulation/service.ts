import type { Redis } from "ioredis";
import type { Reply } from "../../src/idempotency/answers/reply.js";
import type { Clock } from "../../src/idempotency/clock.js";
import { createExecutor, type Executor } from "../../src/idempotency/execution/executor.js";
import type { IdempotencyStore, StoredRecord } from "../../src/idempotency/port/store.js";
import { startReaper } from "../../src/idempotency/recovery/reaper.js";
import { startRecovery } from "../../src/idempotency/recovery/recovery.js";
import type { RepeatableMethod } from "../../src/idempotency/request/methods.js";
import type { Moment } from "../../src/payments/key-window.js";
import type { ProcessorDecision } from "../../src/payments/processor.js";
import {
  createResolver,
  type HeldPayments,
  type ResolveHeld,
} from "../../src/server/resolution.js";
import { memoryGate } from "../../src/stores/memory/index.js";
import { redisGate } from "../../src/stores/redis/index.js";
import { readAnswer } from "./answers.js";
import {
  fingerprintOf,
  isOperation,
  KINDS,
  type Kind,
  kindOf,
  LEASE_MS,
  MAX_EXECUTION_MS,
  type PolicyTimes,
  policyOf,
  type SentCall,
  TENANT,
} from "./calls.js";
import type { Transaction } from "./database.js";
import type { Handlers } from "./handlers.js";
import type { Host } from "./host.js";
import type { Observer } from "./observer.js";
import { validate } from "./requests.js";

/** A call's message, as first work has it, and when it was received. */
export class ReceivedCall {
  constructor(
    readonly kind: Kind,
    readonly request: string,
    readonly receivedAt: Moment,
  ) {}
}

/** One life of a service process: the real executor, recovery and reaper over the store it is given. */
export interface Service {
  readonly host: Host;
  /** Serves one call. Answers leave through the network. */
  serve(call: SentCall): Promise<Reply>;
  /** What an operator asks. Rejects where the store cannot be reached. */
  list(state: StoredRecord["state"]): Promise<readonly StoredRecord[]>;
  readonly resolve: ResolveHeld;
}

const RECOVERY_INTERVAL_MS = 1_000;
const REAPER_INTERVAL_MS = 10_000;

/** More keys than a world has. */
const LIST_SIZE = 100;

/** As long as the retention of some worlds, so that a copy is all that is left. Milliseconds. */
const COPY_TTL_MS = 15_000;

export type GateName = "none" | "memory" | "redis";

/** What stands between a process and the store of record. */
export function createGate(
  name: GateName,
  options: {
    readonly store: IdempotencyStore<Transaction>;
    readonly clock: Clock;
    readonly nodes: readonly Redis[];
    readonly namespace: () => string;
    readonly memoryBytes?: number;
    readonly saw: (what: string) => void;
  },
): IdempotencyStore<Transaction> {
  switch (name) {
    case "none":
      return options.store;
    case "memory":
      return memoryGate({ ...options, copyTtlMs: COPY_TTL_MS });
    case "redis":
      return redisGate({
        ...options,
        soon: (callback) => options.clock.setTimer(0, callback),
        copyTtlMs: COPY_TTL_MS,
        onEvent: ({ type }) => options.saw(`gate ${type}`),
      });
  }
}

export interface ServiceOptions {
  readonly host: Host;
  /** As the gate of this process shows it. */
  readonly store: IdempotencyStore<Transaction>;
  readonly handlers: Handlers;
  /** The same, over a processor that has decided so. */
  readonly decidedHandlers: (decision: ProcessorDecision) => Handlers;
  readonly hasResult: HeldPayments<Transaction>["hasResult"];
  readonly endAsNotExecuted: HeldPayments<Transaction>["endAsNotExecuted"];
  readonly times: PolicyTimes;
  readonly maxAttempts: number;
  /** Which database it is, as this process knows it. */
  readonly knownGeneration: () => number;
  readonly change: (executor: Executor<Transaction>) => Executor<Transaction>;
  readonly observer: Observer;
}

export function startService(options: ServiceOptions): Service {
  const { host, store, handlers, times, maxAttempts, knownGeneration, observer } = options;
  const { clock } = host;
  let executions = 0;
  let lateClaims = 0;
  let nextClaimId: string | undefined;
  /** By the message of the call that they are for. */
  const claimIds = new WeakMap<object, string>();
  const executor = options.change(
    createExecutor<Transaction>({
      store: {
        ...store,
        claim(request) {
          claimIds.set(request.message ?? request, request.claimId);
          return store.claim(request);
        },
      },
      clock,
      maxExecutionMs: MAX_EXECUTION_MS,
      maxAttempts,
      newClaimId() {
        const claimId = nextClaimId ?? `late@${host.name}.${lateClaims}`;
        lateClaims += nextClaimId === undefined ? 1 : 0;
        nextClaimId = undefined;
        return claimId;
      },
      onEvent(event) {
        if (
          event.type === "outcome_unknown" &&
          event.reason.startsWith(`${maxAttempts} attempts`)
        ) {
          observer.saw("held after too many attempts");
        }
      },
    }),
  );
  const operations = KINDS.filter(isOperation);
  startRecovery({
    store,
    executor,
    clock,
    intervalMs: RECOVERY_INTERVAL_MS,
    methods: methodsOf([...operations, "rerun"], handlers),
  });
  startReaper({ store, clock, intervalMs: REAPER_INTERVAL_MS });

  function methodsOf(kinds: readonly Kind[], by: Handlers): Methods {
    return new Map(
      kinds.map((kind): [string, RepeatableMethod<Transaction>] => [
        kind,
        {
          policy: policyOf(kind, times),
          run: (request, execution) => by[kind](Buffer.from(request).toString())(execution),
        },
      ]),
    );
  }

  return {
    host,
    async serve(call) {
      const { scope, request, deadlineMs } = call;
      const kind = kindOf(scope);
      const invalid = validate(kind, request);
      // Each delivery of a call is an execution of its own.
      executions += 1;
      const message = new ReceivedCall(kind, request, host.readMoment());
      const id = `${call.id}@${host.name}.${executions}`;
      // The executor names the claim of a request that is valid at once.
      nextClaimId = invalid === undefined ? id : undefined;
      const knownFrom = knownGeneration();
      const leaving = new AbortController();
      const cancelDeadline = clock.setTimer(deadlineMs, () => leaving.abort());
      try {
        const reply = await executor.execute({
          scope,
          policy: policyOf(kind, times),
          fingerprint: fingerprintOf(request),
          request: Buffer.from(request),
          message,
          invalid,
          run: handlers[kind](request),
          signal: leaving.signal,
        });
        if (host.isAlive()) {
          const claimed = { ...call, id: claimIds.get(message) ?? id };
          observer.answered(claimed, readAnswer(reply), knownFrom);
        }
        return reply;
      } catch (error) {
        observer.report("failed", scope, `${id}: ${error}`);
        throw error;
      } finally {
        cancelDeadline();
      }
    },
    async list(state) {
      return (await store.list({ tenant: TENANT, state, pageSize: LIST_SIZE })).records;
    },
    resolve: createResolver<Transaction>({
      store,
      executor,
      payments: {
        methods: (decision) => methodsOf(operations, options.decidedHandlers(decision)),
        hasResult: options.hasResult,
        endAsNotExecuted: options.endAsNotExecuted,
      },
      defaults: { leaseMs: LEASE_MS, retentionMs: times.retentionMs },
    }),
  };
}

type Methods = ReadonlyMap<string, RepeatableMethod<Transaction>>;
