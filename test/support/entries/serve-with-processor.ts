import { PaymentService } from "../../../src/gen/payonce/payments/v1/payments_pb.js";
import { createExecutor } from "../../../src/idempotency/executor.js";
import { repeatableMethods } from "../../../src/idempotency/methods.js";
import { startRecovery } from "../../../src/idempotency/recovery.js";
import type { Processor } from "../../../src/payments/processor.js";
import { createPaymentHandlers } from "../../../src/payments/service.js";
import { createClosers } from "../../../src/server/closers.js";
import { formatAddress, readConfig } from "../../../src/server/config.js";
import { openProcessor, openStoreOfRecord } from "../../../src/server/dependencies.js";
import { mount } from "../../../src/server/edge.js";
import { startGrpcServer } from "../../../src/server/grpc-server.js";
import { createAuthenticator } from "../../../src/server/identity.js";
import { createLogger } from "../../../src/server/log.js";
import { createPostgresStore } from "../../../src/stores/postgres/index.js";

/** Runs payments over gRPC with a wrapped processor, and says so as `payonce serve` does. */
export async function serveWithProcessor(wrap: (processor: Processor) => Processor): Promise<void> {
  const config = readConfig();
  const open = { config, log: createLogger(config.logLevel), closers: createClosers() };
  const { records, payments: pool } = (await openStoreOfRecord(open)).value;
  const processor = wrap((await openProcessor(open)).value);
  const store = createPostgresStore(records);
  const executor = createExecutor({ store, maxExecutionMs: config.idempotencyMaxExecutionMs });
  const defaults = {
    leaseMs: config.idempotencyLeaseMs,
    retentionMs: config.idempotencyRetentionMs,
  };
  const payments = createPaymentHandlers({
    pool,
    processor,
    keyWindowMs: config.processorKeyWindowMs,
  });
  startRecovery({
    store,
    executor,
    methods: repeatableMethods(PaymentService, payments, defaults),
    intervalMs: config.recoveryIntervalMs,
  });
  const { address } = await startGrpcServer({
    config,
    tls: undefined,
    executor,
    defaults,
    authenticator: createAuthenticator({ tokens: undefined, clientCertificates: "ignored" }),
    services: [mount(PaymentService, payments)],
  });
  console.log(`payonce is ready\n  gRPC       ${formatAddress(address)}\n  HTTP       none`);
}
