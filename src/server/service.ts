import { readFile } from "node:fs/promises";
import type { PoolClient } from "pg";
import { InspectionService } from "../gen/payonce/idempotency/v1/inspection_pb.js";
import { PaymentService } from "../gen/payonce/payments/v1/payments_pb.js";
import { createExecutor } from "../idempotency/executor.js";
import { repeatableMethods } from "../idempotency/methods.js";
import { startReaper } from "../idempotency/reaper.js";
import { startRecovery } from "../idempotency/recovery.js";
import type { IdempotencyStore } from "../idempotency/store.js";
import { createFirstWork } from "../payments/first-work.js";
import { createKeyWindow } from "../payments/key-window.js";
import type { Processor } from "../payments/processor.js";
import { createPaymentHandlers } from "../payments/service.js";
import { paymentValidators } from "../payments/validators.js";
import { createPostgresStore } from "../stores/postgres/index.js";
import { createClosers } from "./closers.js";
import { type Address, type Config, formatAddress } from "./config.js";
import { openGatedStore, openProcessor, openStoreOfRecord } from "./dependencies.js";
import { mount } from "./edge.js";
import {
  logExecutorEvent,
  loggingFailures,
  logReaperEvent,
  logRecoveryEvent,
} from "./event-log.js";
import { startGrpcServer } from "./grpc-server.js";
import { startHttpServer } from "./http-server.js";
import { createAuthenticator } from "./identity.js";
import { createInspectionHandlers } from "./inspection.js";
import type { Logger } from "./log.js";
import { createMetrics } from "./metrics.js";
import { naming } from "./naming.js";
import { createResolver, heldPayments } from "./resolution.js";
import { readTls } from "./tls.js";
import { parseTokens } from "./tokens.js";

export interface ServiceOptions {
  readonly config: Config;
  readonly log: Logger;
  /** Replaces the gate before the store of record: to run without one, or with a broken store. */
  readonly gate?: (record: IdempotencyStore<PoolClient>) => IdempotencyStore<PoolClient>;
  /** Stands between the payments and their processor: to run with a broken one. */
  readonly processor?: (processor: Processor) => Processor;
}

export interface Service {
  readonly grpcAddress: Address;
  readonly httpAddress: Address;
  /** What the service runs on, one line each. */
  readonly summary: readonly string[];
  /** Takes no new calls, finishes those under way, and ends what it has started. */
  close(): Promise<void>;
}

/** Starts the whole service. What was started before a failure is ended again. */
export async function startService(options: ServiceOptions): Promise<Service> {
  const { config, log, gate, processor: wrap = (processor) => processor } = options;
  const closers = createClosers();
  try {
    const metrics = createMetrics();
    const watching =
      <Event>(count: (event: Event) => void, write: (log: Logger, event: Event) => void) =>
      (event: Event) => {
        count(event);
        write(log, event);
      };
    const open = { config, log, closers };
    const database = await openStoreOfRecord(open);
    const firstWork = createFirstWork();
    const record = createPostgresStore(database.value.records, { firstWork });
    const gated =
      gate === undefined
        ? await openGatedStore(open, record, { pool: database.value.records, metrics })
        : { value: gate(record), what: "replaced" };
    const processor = await openProcessor(open);
    const store = gated.value;
    const executor = createExecutor({
      store,
      maxExecutionMs: config.idempotencyMaxExecutionMs,
      onEvent: watching(metrics.onExecutorEvent, logExecutorEvent),
    });
    // After the servers, and before everything that calls under way still need.
    closers.add(() => executor.drained());
    const retentionMs = config.idempotencyRetentionMs;
    const defaults = { leaseMs: config.idempotencyLeaseMs, retentionMs };
    const payments = createPaymentHandlers({
      pool: database.value.payments,
      firstWork,
      processor: wrap(processor.value),
      keyWindow: createKeyWindow({
        windowMs: config.processorKeyWindowMs,
        longestCallMs: config.processorTimeoutMs,
      }),
    });
    const recovery = startRecovery({
      store,
      executor,
      methods: repeatableMethods(PaymentService, payments, defaults),
      intervalMs: config.recoveryIntervalMs,
      onEvent: watching(metrics.onRecoveryEvent, logRecoveryEvent),
    });
    closers.add(() => recovery.stop());
    const reaper = startReaper({
      store,
      onEvent: watching(metrics.onReaperEvent, logReaperEvent),
    });
    closers.add(() => reaper.stop());
    const inspection = createInspectionHandlers({
      store,
      resolveHeld: createResolver({
        store,
        executor,
        payments: heldPayments(database.value.payments, defaults),
        defaults,
      }),
      log,
    });
    const edge = {
      config,
      tls: await readTls(config),
      executor,
      defaults,
      authenticator: await openAuthenticator(config),
      services: [
        mount(PaymentService, loggingFailures(PaymentService, payments, log), paymentValidators),
        mount(InspectionService, loggingFailures(InspectionService, inspection, log)),
      ],
    };
    const http = await startHttpServer(edge, metrics);
    closers.add(() => http.close());
    const grpc = await startGrpcServer(edge);
    closers.add(() => grpc.close());
    return {
      grpcAddress: grpc.address,
      httpAddress: http.address,
      summary: [
        `gRPC       ${formatAddress(grpc.address)}`,
        `HTTP       ${formatAddress(http.address)} (Connect, gRPC-Web, JSON)`,
        `Records    ${database.what}`,
        `Gate       ${gated.what}`,
        `Processor  ${processor.what}`,
      ],
      close: () => closers.closeAll(),
    };
  } catch (error) {
    await closers.closeAll().catch(() => {}); // the first failure is the one to tell
    throw error;
  }
}

async function openAuthenticator({ authTokensFile, tlsClientCaFile }: Config) {
  return createAuthenticator({
    tokens:
      authTokensFile === undefined
        ? undefined
        : await naming("AUTH_TOKENS_FILE", async () =>
            parseTokens(await readFile(authTokensFile, "utf8")),
          ),
    clientCertificates: tlsClientCaFile === undefined ? "ignored" : "trusted",
  });
}
