import type { DescService } from "@bufbuild/protobuf";
import type { Admission } from "../idempotency/execution/admission.js";
import type { Executor } from "../idempotency/execution/executor.js";
import type { ServiceHandlers, ServiceValidators } from "../idempotency/execution/handlers.js";
import type { PolicyDefaults } from "../idempotency/request/policy.js";
import type { Connections } from "../runtime/connections.js";
import type { Address, Config } from "./config.js";
import type { Authenticator } from "./identity.js";
import type { Logger } from "./log.js";
import type { Tls } from "./tls.js";

/**
 * The longest texts and the most metadata that the schema allows take 120 KB;
 * as JSON with every character escaped, three times that. Bytes.
 */
export const MAX_REQUEST_BYTES = 384 * 1024;

/**
 * The most bytes that one connection, and all of a port together, may hold of requests
 * that are not complete. The first is more than forty of the largest requests at
 * once; both are small beside what a process takes anyway.
 */
export const UNFINISHED_BYTES = {
  maxBytesPerConnection: 16 * 1024 * 1024,
  maxBytes: 64 * 1024 * 1024,
} as const;

/** The services that the gRPC and the HTTP server both serve, with their executor. */
export interface ServedServices<Transaction> {
  readonly config: Config;
  readonly log: Logger;
  readonly tls: Tls | undefined;
  readonly services: readonly MountedService<Transaction>[];
  readonly executor: Executor<Transaction>;
  /** The executor's own. */
  readonly admission: Admission;
  /** Told of each call that is refused before it is read. */
  readonly onShed: () => void;
  readonly defaults: PolicyDefaults;
  readonly authenticator: Authenticator;
}

/** A service with its handlers, of whatever type. */
export interface MountedService<Transaction> {
  readonly service: DescService;
  readonly handlers: ServiceHandlers<DescService, Transaction>;
  readonly validators: ServiceValidators<DescService> | undefined;
}

/** Pairs a service with its handlers, so that services of different types fit one list. */
export function mount<Service extends DescService, Transaction>(
  service: Service,
  handlers: ServiceHandlers<Service, Transaction>,
  validators?: ServiceValidators<Service>,
): MountedService<Transaction> {
  // They are only ever used together, so all of them meet their own methods.
  return {
    service,
    handlers: handlers as ServiceHandlers<DescService, Transaction>,
    validators: validators as ServiceValidators<DescService> | undefined,
  };
}

export interface ListeningServer {
  readonly address: Address;
  /**
   * Accepts no connection any more, at once, and lets each that is open end once
   * no call is under way on it. Resolves when all have ended: never, where a
   * peer does not hang up.
   */
  stop(): Promise<unknown>;
  readonly connections: Connections;
}
