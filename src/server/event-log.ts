import type { DescService } from "@bufbuild/protobuf";
import type { CallContext } from "../idempotency/call.js";
import { CallError } from "../idempotency/errors.js";
import type { ExecutorEvent } from "../idempotency/events.js";
import type { ServiceHandlers } from "../idempotency/handlers.js";
import type { ReaperEvent } from "../idempotency/reaper.js";
import type { RecoveryEvent } from "../idempotency/recovery.js";
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

/**
 * The same handlers, but what a read throws is logged: its caller is told no
 * more than that the service failed. Under a key the executor tells the reason.
 */
export function loggingFailures<Service extends DescService, Transaction>(
  service: Service,
  handlers: ServiceHandlers<Service, Transaction>,
  log: Logger,
): ServiceHandlers<Service, Transaction> {
  const logged = service.methods.map((method) => {
    const handler: unknown = Reflect.get(handlers, method.localName);
    if (method.methodKind !== "unary" || typeof handler !== "function") {
      return [method.localName, handler] as const;
    }
    const call = async (request: unknown, context: CallContext<Transaction>) => {
      try {
        return await handler.call(handlers, request, context);
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
    return [method.localName, call] as const;
  });
  // Each handler has the type of the one that it wraps.
  return Object.fromEntries(logged) as ServiceHandlers<Service, Transaction>;
}
