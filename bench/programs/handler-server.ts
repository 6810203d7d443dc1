import type { UntypedServiceImplementation } from "@grpc/grpc-js";
import Redlock from "redlock";
import type { IdempotencyStore } from "../../src/idempotency/port/store.js";
import { createMemoryStore } from "../../src/stores/memory/index.js";
import { fromRedlock, redisGate } from "../../src/stores/redis/index.js";
import { redlockGate } from "../baselines/redlock-gate.js";
import { ANSWER } from "./answer.js";
import { answering, settings } from "./answering.js";
import { connectRedis } from "./redis.js";
import { servePayments } from "./serve-payments.js";

export interface HandlerServerSettings {
  /** What stands before the handler. */
  readonly gate:
    | "none"
    | "ours"
    | "ours, keeping no answers"
    | "ours, with redlock's locks"
    | "redlock";
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
  if (gate === "redlock") {
    return redlockGate({ ...options, redisUrls, prefix });
  }
  const nodes = await connectRedis(redisUrls);
  return redisGate({
    ...options,
    nodes,
    namespace: () => prefix,
    ...(gate === "ours, keeping no answers" ? { memoryBytes: 0 } : {}),
    ...(gate === "ours, with redlock's locks" ? { locks: fromRedlock(new Redlock(nodes)) } : {}),
  });
}

const address = await servePayments(implementation, await storeBehindGate());
answering(() => ({ address, executions }));
