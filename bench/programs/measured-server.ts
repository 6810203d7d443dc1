import { randomUUID } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import { Server, type UntypedServiceImplementation } from "@grpc/grpc-js";
import { PaymentService } from "../../src/gen/payonce/payments/v1/payments_pb.js";
import { idempotencyInterceptor, idempotent, serviceDefinition } from "../../src/grpc/index.js";
import { createExecutor } from "../../src/idempotency/executor.js";
import { memoryGate } from "../../src/stores/memory/index.js";
import { redisGate } from "../../src/stores/redis/index.js";
import { ANSWER } from "./answer.js";
import { answering, settings } from "./answering.js";
import { createEmptyStore } from "./empty-store.js";
import { listen } from "./listen.js";
import { connectRedis } from "./redis.js";

/** What stands before the handler. */
export type Before = "nothing" | "the executor" | "a memory gate" | "a Redis gate";

export interface MeasuredServerSettings {
  readonly before: Before;
  readonly redisUrls: readonly string[];
}

export type MeasuredServerQuestion =
  | "look"
  /** Leaves calls without an answer from now on. */
  | "hold"
  /** Answers those that have none, and the others as they come. */
  | "answer"
  | "collect garbage";

/** How it is then. */
export interface MeasuredServerAnswer {
  readonly address: string;
  /** Calls without an answer. */
  readonly waiting: number;
  /** Bytes. */
  readonly heapUsed: number;
  /** Outside of the heap and known to it, such as buffers. Bytes. */
  readonly external: number;
}

// Serves one method over gRPC whose handler answers when it is told to.
const { before, redisUrls } = settings<MeasuredServerSettings>();
const KEPT_MS = 86_400_000;

let isHolding = false;
let waiting: (() => void)[] = [];
const implementation: UntypedServiceImplementation = {
  createPayment(_call: unknown, callback: (error: null, response: unknown) => void) {
    if (isHolding) {
      waiting.push(() => callback(null, ANSWER));
    } else {
      callback(null, ANSWER);
    }
  },
};

async function storeBehind(gate: Exclude<Before, "nothing">) {
  const store = createEmptyStore();
  switch (gate) {
    case "the executor":
      return store;
    case "a memory gate":
      return memoryGate({ store, copyTtlMs: KEPT_MS });
    case "a Redis gate": {
      const namespace = `payonce:${randomUUID()}:1`; // as long as the service's
      const nodes = await connectRedis(redisUrls);
      return redisGate({ store, nodes, namespace: () => namespace, copyTtlMs: KEPT_MS });
    }
  }
}

async function serve(): Promise<Server> {
  if (before === "nothing") {
    const server = new Server();
    server.addService(serviceDefinition(PaymentService), implementation);
    return server;
  }
  const executor = createExecutor({ store: await storeBehind(before) });
  const server = new Server({ interceptors: [idempotencyInterceptor({ executor })] });
  server.addService(idempotent(PaymentService), implementation);
  return server;
}

function answerAll(): void {
  isHolding = false;
  const held = waiting;
  waiting = [];
  for (const reply of held) {
    reply();
  }
}

async function collectGarbage(): Promise<void> {
  if (globalThis.gc === undefined) {
    throw new Error("this needs node --expose-gc");
  }
  // What one collection finalizes, the next one frees.
  for (let collection = 0; collection < 3; collection += 1) {
    globalThis.gc();
    await turn();
  }
}

const does: Record<MeasuredServerQuestion, () => void | Promise<void>> = {
  look() {},
  hold() {
    isHolding = true;
  },
  answer: answerAll,
  "collect garbage": collectGarbage,
};

const address = await listen(await serve());
answering(async (question: MeasuredServerQuestion): Promise<MeasuredServerAnswer> => {
  await does[question]();
  const { heapUsed, external } = process.memoryUsage();
  return { address, waiting: waiting.length, heapUsed, external };
});
