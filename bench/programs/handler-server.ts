import { Server, type UntypedServiceImplementation } from "@grpc/grpc-js";
import { PaymentService } from "../../src/gen/payonce/payments/v1/payments_pb.js";
import { idempotencyInterceptor, idempotent, serviceDefinition } from "../../src/grpc/index.js";
import { createExecutor } from "../../src/idempotency/executor.js";
import type { IdempotencyStore } from "../../src/idempotency/store.js";
import { createMemoryStore } from "../../src/stores/memory/index.js";
import { redisGate } from "../../src/stores/redis/index.js";
import { redlockGate } from "../baselines/redlock-gate.js";
import { ANSWER } from "./answer.js";
import { answering, settings } from "./answering.js";
import { listen } from "./listen.js";
import { connectRedis } from "./redis.js";

export interface HandlerServerSettings {
  /** What stands before the handler. */
  readonly gate: "none" | "ours" | "redlock";
  readonly redisUrls: readonly string[];
}

// Serves one method over gRPC, whose handler does nothing but answer.
const { gate, redisUrls } = settings<HandlerServerSettings>();
const COPY_TTL_MS = 3_600_000;

let executions = 0;
const implementation: UntypedServiceImplementation = {
  createPayment(_call: unknown, callback: (error: null, response: unknown) => void) {
    executions += 1;
    callback(null, ANSWER);
  },
};

async function gated(): Promise<IdempotencyStore> {
  const options = { store: createMemoryStore(), copyTtlMs: COPY_TTL_MS };
  const prefix = `bench:${process.pid}`;
  return gate === "ours"
    ? redisGate({ ...options, nodes: await connectRedis(redisUrls), namespace: () => prefix })
    : redlockGate({ ...options, redisUrls, prefix });
}

async function serve(): Promise<Server> {
  if (gate === "none") {
    const server = new Server();
    server.addService(serviceDefinition(PaymentService), implementation);
    return server;
  }
  const executor = createExecutor({ store: await gated() });
  const server = new Server({ interceptors: [idempotencyInterceptor({ executor })] });
  server.addService(idempotent(PaymentService), implementation);
  return server;
}

const address = await listen(await serve());
answering(() => ({ address, executions }));
