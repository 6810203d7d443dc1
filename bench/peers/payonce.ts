import { createExecutor } from "../../src/idempotency/execution/executor.js";
import { okOutcome } from "../../src/idempotency/port/outcome.js";
import type { IdempotencyStore } from "../../src/idempotency/port/store.js";
import { digest } from "../../src/idempotency/request/digest.js";
import { POLICY_DEFAULTS } from "../../src/idempotency/request/policy.js";
import { createMemoryStore } from "../../src/stores/memory/index.js";
import { createPostgresStore, openDatabase } from "../../src/stores/postgres/index.js";
import { redisGate } from "../../src/stores/redis/index.js";
import { connectRedis } from "../programs/redis.js";
import { type Call, type ConnectPeer, type Handler, KEPT_MS, PREFIX, requestOf } from "./peer.js";

const policy = {
  ...POLICY_DEFAULTS,
  operation: "bench.v1.Service/Call",
  required: true,
  inFlightWaitMs: 0,
  onLostOwner: "rerun",
} as const;
const { signal } = new AbortController();

/** Executor, gate over one node, and a store that loses all with the process. */
export const connectPayonceOnRedis: ConnectPeer = async ({ handler, redisUrl }) => {
  const nodes = await connectRedis([redisUrl]);
  return () => {
    let isRedisUsed = true;
    const store = redisGate({
      store: createMemoryStore(),
      nodes,
      namespace: () => PREFIX,
      copyTtlMs: KEPT_MS,
      onEvent({ type }) {
        isRedisUsed &&= type !== "stepped_aside";
      },
    });
    const call = createCall(store, handler);
    return async (key) => {
      const answer = await call(key);
      if (!isRedisUsed) {
        throw new Error("Redis was too slow for the gate, so only the memory was measured");
      }
      return answer;
    };
  };
};

/** Executor and store of record. */
export const connectPayonceOnPostgres: ConnectPeer = async ({ handler, databaseUrl }) => {
  const store = createPostgresStore(openDatabase(databaseUrl, console.error));
  return () => createCall(store, handler);
};

function createCall<Transaction>(store: IdempotencyStore<Transaction>, handler: Handler): Call {
  const executor = createExecutor({ store });
  return async (key) => {
    const request = Buffer.from(JSON.stringify(requestOf(key)));
    const hash = digest("bench.v1", request);
    const { code, message, body } = await executor.execute({
      scope: { tenant: "default", operation: policy.operation, key },
      policy,
      fingerprint: { version: 1, canonical: hash, raw: hash },
      request,
      run: async () => okOutcome(Buffer.from(await handler(key))),
      signal,
    });
    if (code !== 0) {
      throw new Error(`code ${code}: ${message}`);
    }
    return Buffer.from(body).toString();
  };
}
