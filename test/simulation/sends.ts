import type { Run } from "../../src/idempotency/execution/attempt.js";
import type { Scope } from "../../src/idempotency/port/scope.js";
import { nameOf } from "./calls.js";
import type { Transaction } from "./database.js";
import { type Handlers, mapHandlers } from "./handlers.js";
import type { Host } from "./host.js";
import { LONGEST_CALL_MS } from "./processor.js";
import type { Scheduler } from "./scheduler.js";

/** Who may still send something to the processor, and what may be on its way. */
export interface Sends {
  /** The same handlers, whose runs are counted. */
  count(host: Host, handlers: Handlers): Handlers;
  sent(scope: Scope): void;
  /** Whether nothing more can come of the calls of this scope. */
  areSettled(scope: Scope): boolean;
}

export function createSends(scheduler: Scheduler): Sends {
  const running = new Map<string, Set<{ readonly host: Host }>>();
  const sentAtMs = new Map<string, number>();

  const counted =
    (host: Host, run: Run<Transaction>): Run<Transaction> =>
    async (execution) => {
      const name = nameOf(execution.scope);
      const runs = running.get(name) ?? new Set();
      running.set(name, runs);
      const self = { host };
      runs.add(self);
      try {
        return await run(execution);
      } finally {
        runs.delete(self);
      }
    };

  return {
    count: (host, handlers) =>
      mapHandlers(handlers, (handler) => (request) => counted(host, handler(request))),
    sent(scope) {
      sentAtMs.set(nameOf(scope), scheduler.nowMs());
    },
    areSettled(scope) {
      const name = nameOf(scope);
      const lastMs = sentAtMs.get(name) ?? Number.NEGATIVE_INFINITY;
      const runs = [...(running.get(name) ?? [])];
      return (
        scheduler.nowMs() > lastMs + LONGEST_CALL_MS && !runs.some(({ host }) => host.isAlive())
      );
    },
  };
}
