import { readFile } from "node:fs/promises";
import type { DescService } from "@bufbuild/protobuf";
import type { PoolClient } from "pg";
import { InspectionService } from "../gen/payonce/idempotency/v1/inspection_pb.js";
import { PaymentService } from "../gen/payonce/payments/v1/payments_pb.js";
import { createAdmission } from "../idempotency/execution/admission.js";
import { DEFAULT_CALLER } from "../idempotency/execution/call.js";
import { createExecutor, MAX_CALLS } from "../idempotency/execution/executor.js";
import type { ServiceHandlers } from "../idempotency/execution/handlers.js";
import type { IdempotencyStore } from "../idempotency/port/store.js";
import { startReaper } from "../idempotency/recovery/reaper.js";
import { startRecovery } from "../idempotency/recovery/recovery.js";
import { repeatableMethods } from "../idempotency/request/methods.js";
import { createFirstWork } from "../payments/first-work.js";
import { createKeyWindow, type KeyWindow, keyWindowOf } from "../payments/key-window.js";
import type { Processor } from "../payments/processor.js";
import { createPaymentHandlers } from "../payments/service.js";
import { createPaymentValidators } from "../payments/validators.js";
import { startPaymentWatch } from "../payments/watch.js";
import {
  createOperatorActs,
  createPostgresStore,
  type PostgresStore,
} from "../stores/postgres/index.js";
import { accessLines } from "./access.js";
import { type Address, type Config, configWarnings, formatAddress } from "./config.js";
import { openGatedStore, openProcessor, openStoreOfRecord } from "./dependencies.js";
import { withErrorPrefix } from "./error-prefix.js";
import {
  logExecutorEvent,
  loggingFailures,
  logReaperEvent,
  logRecoveryEvent,
  logWatchEvent,
} from "./event-log.js";
import { startGrpcServer } from "./grpc-server.js";
import { startHttpServer } from "./http-server.js";
import { createAuthenticator } from "./identity.js";
import { createInspectionHandlers } from "./inspection.js";
import type { Logger } from "./log.js";
import { createMetrics } from "./metrics.js";
import { createOpenCalls } from "./open-calls.js";
import { recordingActs } from "./operator-acts.js";
import { createOverloadLog } from "./overload-log.js";
import {
  createResolver,
  heldPayments,
  type ResolveHeld,
  type ResolverOptions,
} from "./resolution.js";
import { mount } from "./served-services.js";
import { createShutdown } from "./shutdown.js";
import { type Serving, stopServing } from "./stop.js";
import { certificateWarnings, readTls } from "./tls.js";
import { parseTokens } from "./tokens.js";
import { createWebhookReceiver } from "./webhook-receiver.js";
import { openWebhooks } from "./webhooks.js";

/**
 * The mean time for which payments may be worked on before fewer are taken: ten
 * times what one takes on a quiet machine, and little of what callers wait.
 */
const MAX_WORK_MS = 400;

export interface ServiceOptions {
  readonly config: Config;
  readonly log: Logger;
  /** Replaces the gate before the store of record: to run without one, or with a broken store. */
  readonly gate?: (
    record: PostgresStore,
  ) => IdempotencyStore<PoolClient> & Partial<Pick<PostgresStore, "writeOwned">>;
  /** Stands between the payments and their processor: to run with a broken one. */
  readonly processor?: (processor: Processor) => Processor;
  /** Stands before what is sent: to run with a window that is looked at carelessly. */
  readonly keyWindow?: (window: KeyWindow) => KeyWindow;
  /** Replaces what ends held keys: to run with one that forgets a part. */
  readonly resolver?: (options: ResolverOptions<PoolClient>) => ResolveHeld;
}

/** The end of a service. Past the limit, calls are handed on, and connections cut. */
export type Closed = "drained" | "left behind";

export interface Service {
  readonly grpcAddress: Address;
  readonly httpAddress: Address;
  /** The dependencies of the service, one line each. */
  readonly summary: readonly string[];
  /**
   * Takes no new calls, finishes those under way, and ends what it has started,
   * within SHUTDOWN_TIMEOUT_MS. Resolves with whether anything was left behind.
   */
  close(): Promise<Closed>;
}

/** Starts the whole service. What was started before a failure is ended again. */
export async function startService(options: ServiceOptions): Promise<Service> {
  const { config, log, gate, processor: wrap = unchanged } = options;
  const { keyWindow: wrapWindow = unchanged, resolver = createResolver } = options;
  const shutdown = createShutdown();
  for (const warning of configWarnings(config)) {
    log.warn(warning);
  }
  const close = async (): Promise<Closed> => {
    const failures = await shutdown.closeWithin(config.shutdownTimeoutMs);
    for (const failure of failures) {
      log.warn({ error: String(failure) }, "not all has ended as it should");
    }
    return failures.length === 0 ? "drained" : "left behind";
  };
  try {
    const metrics = createMetrics();
    const watching =
      <Event>(count: (event: Event) => void, write: (log: Logger, event: Event) => void) =>
      (event: Event) => {
        count(event);
        write(log, event);
      };
    const open = { config, log, shutdown };
    const database = await openStoreOfRecord(open);
    const firstWork = createFirstWork();
    const { records, inspection: inspectionPool, watch } = database.value;
    metrics.watchEvents(watch.eventsDelayedMs);
    const logOverload = createOverloadLog({ log, now: () => performance.now() });
    const admission = createAdmission({ maxCalls: MAX_CALLS, maxWorkMs: MAX_WORK_MS });
    const record = createPostgresStore(records, {
      firstWork,
      inspection: inspectionPool,
      lossySetting: watch.lossySetting,
    });
    const replaced = gate?.(record);
    const owners = { writeOwned: replaced?.writeOwned ?? record.writeOwned };
    const gated =
      replaced === undefined
        ? await openGatedStore(open, record, { watch, metrics })
        : { value: replaced, what: "replaced" };
    const processor = await openProcessor(open);
    const store = gated.value;
    const executor = createExecutor({
      store,
      admission,
      maxExecutionMs: config.idempotencyMaxExecutionMs,
      onEvent: watching(metrics.onExecutorEvent, (logger, event) => {
        if (event.type === "refused" && event.reason === "OVERLOADED") {
          logOverload();
        }
        logExecutorEvent(logger, event);
      }),
    });
    const openCalls = createOpenCalls();
    const serving: Serving = { executor, openCalls, rounds: [], servers: [] };
    // Before everything that calls under way still need.
    shutdown.add((limitMs) => stopServing(serving, limitMs));
    const retentionMs = config.idempotencyRetentionMs;
    const defaults = { leaseMs: config.idempotencyLeaseMs, retentionMs };
    const payments = createPaymentHandlers({
      pool: database.value.payments,
      owners,
      reads: database.value.reads,
      streams: database.value.streams,
      processor: wrap(processor.value),
      keyWindow: wrapWindow(
        createKeyWindow({
          windowMs: config.processorKeyWindowMs ?? keyWindowOf(processor.value),
          longestCallMs: config.processorTimeoutMs,
        }),
      ),
      restoredAgoMs: watch.restoredAgoMs,
      lookForRestore: watch.look,
      actionTimeoutMs: config.paymentActionTimeoutMs,
    });
    const paymentWatch = startPaymentWatch({
      pool: database.value.payments,
      processor: wrap(processor.value),
      intervalMs: config.recoveryIntervalMs,
      onEvent: (event) => logWatchEvent(log, event),
    });
    serving.rounds.push(paymentWatch);
    const recovery = startRecovery({
      store,
      executor,
      methods: repeatableMethods(PaymentService, payments, defaults),
      intervalMs: config.recoveryIntervalMs,
      onEvent: watching(metrics.onRecoveryEvent, logRecoveryEvent),
    });
    serving.rounds.push(recovery);
    const reaper = startReaper({
      store,
      onEvent: watching(metrics.onReaperEvent, logReaperEvent),
    });
    serving.rounds.push(reaper);
    const webhooks = await openWebhooks({ config, log, metrics, pool: database.value.streams });
    if (webhooks !== undefined) {
      serving.rounds.push(webhooks.value);
    }
    const inspected = createInspectionHandlers({
      store,
      resolveHeld: resolver({
        store,
        executor,
        payments: heldPayments({ pool: database.value.payments, owners }, defaults),
        defaults,
      }),
      log,
    });
    const acts = createOperatorActs(inspectionPool);
    const inspection = recordingActs({ acts, log }, inspected);
    const watched = <Watched extends DescService>(
      service: Watched,
      handlers: ServiceHandlers<Watched, PoolClient>,
    ) => openCalls.watch(service, loggingFailures(service, handlers, log));
    const tls = await readTls(config);
    for (const warning of tls === undefined ? [] : certificateWarnings(tls, Date.now())) {
      log.warn(warning);
    }
    const served = {
      config,
      log,
      tls,
      executor,
      admission,
      onShed() {
        metrics.onShed();
        logOverload();
      },
      defaults,
      authenticator: await openAuthenticator(config),
      services: [
        mount(
          PaymentService,
          watched(PaymentService, payments),
          createPaymentValidators(processor.value),
        ),
        mount(InspectionService, watched(InspectionService, inspection)),
      ],
    };
    const http = await startHttpServer(served, {
      metrics,
      receiveWebhook: createWebhookReceiver({
        processor: processor.value,
        pool: database.value.payments,
        log,
      }),
    });
    serving.servers.push(http);
    const grpc = await startGrpcServer(served);
    serving.servers.push(grpc);
    return {
      grpcAddress: grpc.address,
      httpAddress: http.address,
      summary: [
        `gRPC       ${formatAddress(grpc.address)}`,
        `HTTP       ${formatAddress(http.address)} (Connect, gRPC-Web, JSON)`,
        `Records    ${database.what}`,
        `Gate       ${gated.what}`,
        `Processor  ${processor.what}`,
        ...(webhooks === undefined ? [] : [`Webhooks   ${webhooks.what}`]),
        ...accessLines(config, [grpc.address, http.address]).map(
          (line, index) => (index === 0 ? "Access" : "").padEnd(11) + line,
        ),
      ],
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function unchanged<Part>(part: Part): Part {
  return part;
}

async function openAuthenticator({ authTokensFile, tlsClientCaFile, insecureOperator }: Config) {
  return createAuthenticator({
    ...(insecureOperator ? { anybody: { ...DEFAULT_CALLER, role: "operator" } } : {}),
    tokens:
      authTokensFile === undefined
        ? undefined
        : await withErrorPrefix("AUTH_TOKENS_FILE", async () =>
            parseTokens(await readFile(authTokensFile, "utf8")),
          ),
    clientCertificates: tlsClientCaFile === undefined ? "ignored" : "trusted",
  });
}
