import { Server, ServerCredentials, type UntypedServiceImplementation } from "@grpc/grpc-js";
import { PaymentService } from "../../src/gen/payonce/payments/v1/payments_pb.js";
import { idempotencyInterceptor, idempotent, serviceDefinition } from "../../src/grpc/index.js";
import { createExecutor } from "../../src/idempotency/execution/executor.js";
import type { IdempotencyStore } from "../../src/idempotency/port/store.js";

/**
 * Serves payments over gRPC on a free port and returns the address: through the
 * executor where there is a store, else the handlers are bare.
 */
export async function servePayments(
  implementation: UntypedServiceImplementation,
  store: IdempotencyStore | undefined,
): Promise<string> {
  const server =
    store === undefined
      ? new Server()
      : new Server({
          interceptors: [idempotencyInterceptor({ executor: createExecutor({ store }) })],
        });
  const definition =
    store === undefined ? serviceDefinition(PaymentService) : idempotent(PaymentService);
  server.addService(definition, implementation);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return `127.0.0.1:${port}`;
}
