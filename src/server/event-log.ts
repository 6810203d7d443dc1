import type { DescService } from "@bufbuild/protobuf";
import { CallError } from "../idempotency/answers/errors.js";
import type { ExecutorEvent } from "../idempotency/execution/events.js";
import {
  mapHandlers,
  type ServiceHandlers,
  type UnaryHandler,
} from "../idempotency/execution/handlers.js";
import type { ReaperEvent } from "../idempotency/recovery/reaper.js";
import type { RecoveryEvent } from "../idempotency/recovery/recovery.js";
import type { WatchEvent } from "../payments/watch.js";
import type { DeploymentEvent } from "../stores/postgres/index.js";
import type { Logger } from "./log.js";

export function logRecoveryEvent(log: Logger, event: RecoveryEvent): void {
  if (event.type === "store_failed") {
    log.error({ error: String(event.error) }, "recovery cannot reach the store of record");
  } else {
    log.warn({ ...event.scope, attempt: event.attempt }, "a call is run again");
  }
}

export function logReaperEvent(log: Logger, event: ReaperEvent): void {
  if (event.type === "store_failed") {
    log.error({ error: String(event.error) }, "the reaper cannot reach the store of record");
  } else {
    log.debug({ count: event.count }, "answers past their retention were shrunk");
  }
}

export function logDeploymentEvent(log: Logger, event: DeploymentEvent): void {
  switch (event.type) {
    case "new_generation":
      if (event.cause === "restored") {
        log.warn({ ...event.deployment }, "the database may have lost rows: older copies are void");
      } else {
        log.info({ ...event.deployment }, "the database was started anew: older copies are void");
      }
      return;
    case "events_delayed":
      log.warn(
        { transaction: event.transaction, seconds: Math.round(event.forMs / 1_000) },
        "a transaction of this server has written and not ended: until it does, events are held back (SELECT pid, datname, state, query FROM pg_stat_activity WHERE backend_xid IS NOT NULL ORDER BY xact_start)",
      );
      return;
    case "lossy":
      log.error(
        { setting: event.setting },
        `${event.setting} is off, so the database may lose what it confirms: no call is taken until it is on`,
      );
      return;
    case "durable":
      log.warn("the database keeps what it confirms again: calls are taken");
  }
}

export function logExecutorEvent(log: Logger, event: ExecutorEvent): void {
  switch (event.type) {
    case "outcome_unknown":
      log.warn({ ...event.scope, reason: event.reason }, "the outcome of a call is not known");
      return;
    case "store_failed":
      log.error({ ...event.scope, error: String(event.error) }, "the store of record failed");
      return;
    default:
      log.debug(event, "call");
  }
}

export function logWatchEvent(log: Logger, event: WatchEvent): void {
  switch (event.type) {
    case "moved": {
      const { tenant, id, status, declineCode } = event.payment;
      const reason = declineCode === "" ? {} : { reason: declineCode };
      log.info({ tenant, payment: id, status, ...reason }, "the processor has moved a payment on");
      return;
    }
    case "amount_differs": {
      const { tenant, id } = event.payment;
      log.error({ tenant, payment: id }, "the processor has another amount than the payment");
      return;
    }
    case "processor_failed": {
      const { tenant, id } = event.payment;
      log.warn(
        { tenant, payment: id, error: String(event.error) },
        "the processor does not say what has become of a payment",
      );
      return;
    }
    case "database_failed":
      log.warn({ error: String(event.error) }, "payments that wait could not be looked at");
  }
}

/**
 * The same handlers, but what a read throws is logged: its caller learns no
 * more than that the service failed. Under a key the executor reports the reason.
 */
export function loggingFailures<Service extends DescService, Transaction>(
  service: Service,
  handlers: ServiceHandlers<Service, Transaction>,
  log: Logger,
): ServiceHandlers<Service, Transaction> {
  const logged = mapHandlers(service, handlers, ({ kind, method, handler }) => {
    if (kind !== "unary") {
      return handler;
    }
    const call: UnaryHandler = async (request, context) => {
      try {
        return await handler(request, context);
      } catch (error) {
        if (context.execution === undefined && !(error instanceof CallError)) {
          log.error(
            { method: `${service.typeName}/${method.name}`, error: String(error) },
            "failed",
          );
        }
        throw error;
      }
    };
    return call;
  });
  // Each handler has the type of the one that it wraps.
  return logged as ServiceHandlers<Service, Transaction>;
}
