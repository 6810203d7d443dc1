import { randomUUID } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import type { UntypedServiceImplementation } from "@grpc/grpc-js";
import type { IdempotencyStore } from "../../src/idempotency/port/store.js";
import { memoryGate } from "../../src/stores/memory/index.js";
import { redisGate } from "../../src/stores/redis/index.js";
import { ANSWER } from "./answer.js";
import { answering, settings } from "./answering.js";
import { createEmptyStore } from "./empty-store.js";
import { connectRedis } from "./redis.js";
import { servePayments } from "./serve-payments.js";

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

async function storeBehindGate(): Promise<IdempotencyStore | undefined> {
  const store = createEmptyStore();
  switch (before) {
    case "nothing":
      return undefined;
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

const address = await servePayments(implementation, await storeBehindGate());
answering(async (question: MeasuredServerQuestion): Promise<MeasuredServerAnswer> => {
  await does[question]();
  const { heapUsed, external } = process.memoryUsage();
  return { address, waiting: waiting.length, heapUsed, external };
});
