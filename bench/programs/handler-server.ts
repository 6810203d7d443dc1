import type { UntypedServiceImplementation } from "@grpc/grpc-js";
import type { IdempotencyStore } from "../../src/idempotency/store.js";
import { createMemoryStore } from "../../src/stores/memory/index.js";
import { redisGate } from "../../src/stores/redis/index.js";
import { redlockGate } from "../baselines/redlock-gate.js";
import { ANSWER } from "./answer.js";
import { answering, settings } from "./answering.js";
import { connectRedis } from "./redis.js";
import { servePayments } from "./serve-payments.js";

export interface HandlerServerSettings {
  /** What stands before the handler. */
  readonly gate: "none" | "ours" | "ours, keeping no answers" | "redlock";
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

async function storeBehindGate(): Promise<IdempotencyStore | undefined> {
  if (gate === "none") {
    return undefined;
  }
  const options = { store: createMemoryStore(), copyTtlMs: COPY_TTL_MS };
  const prefix = `bench:${process.pid}`;
  return gate === "redlock"
    ? redlockGate({ ...options, redisUrls, prefix })
    : redisGate({
        ...options,
        nodes: await connectRedis(redisUrls),
        namespace: () => prefix,
        ...(gate === "ours" ? {} : { memoryBytes: 0 }),
      });
}

const address = await servePayments(implementation, await storeBehindGate());
answering(() => ({ address, executions }));
