import type { Redis } from "ioredis";
import type { Run } from "../../src/idempotency/attempt.js";
import type { Clock } from "../../src/idempotency/clock.js";
import { createExecutor } from "../../src/idempotency/executor.js";
import type { RepeatableMethod } from "../../src/idempotency/methods.js";
import { startReaper } from "../../src/idempotency/reaper.js";
import { startRecovery } from "../../src/idempotency/recovery.js";
import type { Reply } from "../../src/idempotency/reply.js";
import type { IdempotencyStore } from "../../src/idempotency/store.js";
import { memoryGate } from "../../src/stores/memory/index.js";
import { redisGate } from "../../src/stores/redis/index.js";
import { readAnswer } from "./answers.js";
import {
  fingerprintOf,
  type Kind,
  MAX_EXECUTION_MS,
  type PolicyTimes,
  policyOf,
  type SentCall,
} from "./calls.js";
import type { Transaction } from "./database.js";
import type { Handlers } from "./handlers.js";
import type { Host } from "./host.js";
import type { Observer } from "./observer.js";

/** One life of a service process: the real executor, recovery and reaper over the store it is given. */
export interface Service {
  readonly host: Host;
  /** Serves one call. Answers leave through the network. */
  serve(call: SentCall): Promise<Reply>;
}

const RECOVERY_INTERVAL_MS = 1_000;
const REAPER_INTERVAL_MS = 10_000;

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
        namespace: () => "simulation",
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
  readonly times: PolicyTimes;
  readonly observer: Observer;
}

export function startService({ host, store, handlers, times, observer }: ServiceOptions): Service {
  const { clock } = host;
  let executions = 0;
  let executionId = "";
  const executor = createExecutor<Transaction>({
    store,
    clock,
    maxExecutionMs: MAX_EXECUTION_MS,
    newClaimId: () => executionId,
  });
  startRecovery({
    store,
    executor,
    clock,
    intervalMs: RECOVERY_INTERVAL_MS,
    methods: new Map([methodOf("payment"), methodOf("rerun")]),
  });
  startReaper({ store, clock, intervalMs: REAPER_INTERVAL_MS });

  function methodOf(kind: Exclude<Kind, "hold">): [string, RepeatableMethod<Transaction>] {
    const run = (request: Uint8Array, execution: Parameters<Run<Transaction>>[0]) =>
      handlers[kind](Buffer.from(request).toString())(execution);
    return [kind, { policy: policyOf(kind, times), run }];
  }

  return {
    host,
    async serve(call) {
      const { scope, request, deadlineMs } = call;
      // Each delivery of a call is an execution of its own. The executor names its claim at once.
      executions += 1;
      executionId = `${call.id}@${host.name}.${executions}`;
      const execution = { ...call, id: executionId };
      const kind = kindOf(scope.operation);
      const leaving = new AbortController();
      const cancelDeadline = clock.setTimer(deadlineMs, () => leaving.abort());
      try {
        const reply = await executor.execute({
          scope,
          policy: policyOf(kind, times),
          fingerprint: fingerprintOf(request),
          request: Buffer.from(request),
          run: handlers[kind](request),
          signal: leaving.signal,
        });
        if (host.isAlive()) {
          observer.answered(execution, readAnswer(reply));
        }
        return reply;
      } catch (error) {
        observer.report("failed", scope, `${executionId}: ${error}`);
        throw error;
      } finally {
        cancelDeadline();
      }
    },
  };
}

function kindOf(operation: string): Kind {
  if (operation === "payment" || operation === "rerun" || operation === "hold") {
    return operation;
  }
  throw new RangeError(`there is no operation ${operation}`);
}
