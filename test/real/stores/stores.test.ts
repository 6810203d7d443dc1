import { randomUUID } from "node:crypto";
import type { Redis } from "ioredis";
import { inject } from "vitest";
import type { IdempotencyStore } from "../../../src/idempotency/port/store.js";
import { createMemoryStore, memoryGate } from "../../../src/stores/memory/index.js";
import {
  createPostgresStore,
  idempotencyMigrations,
  migrate,
  openDatabase,
} from "../../../src/stores/postgres/index.js";
import { batchedLocks } from "../../../src/stores/redis/batched-locks.js";
import {
  type CreateLocks,
  connectRedisNodes,
  fromRedlock,
  redisGate,
} from "../../../src/stores/redis/index.js";
import { redlockOver } from "../../support/idempotency/redis-gate.js";
import { createDatabase } from "../../support/servers/postgres.js";
import { type StoresUnderTest, storeContract } from "../../support/stores/contract.js";

const COPY_TTL_MS = 60_000;

storeContract("memory", memory);
storeContract("postgres", postgres);
storeContract("memory behind a gate in the process", () => behindMemoryGates(memory));
storeContract("postgres behind gates in two processes", () => behindMemoryGates(postgres));
storeContract("memory behind three Redis nodes", () => behindRedisGates(memory));
storeContract("postgres behind three Redis nodes", () => behindRedisGates(postgres));
storeContract("postgres behind three Redis nodes, with locks of the redlock package", () =>
  behindRedisGates(postgres, (nodes) => fromRedlock(redlockOver(nodes))),
);

async function memory(): Promise<StoresUnderTest> {
  const store = createMemoryStore();
  return { first: store, second: store, close: async () => {} };
}

async function postgres(): Promise<StoresUnderTest> {
  const database = await createDatabase();
  const pools = [1, 2].map(() => openDatabase(database.url, () => {}));
  const [first, second] = pools;
  if (first === undefined || second === undefined) {
    throw new Error("unreachable");
  }
  await migrate(first, idempotencyMigrations);
  return {
    first: createPostgresStore(first),
    second: createPostgresStore(second),
    async close() {
      await Promise.all(pools.map((pool) => pool.end()));
      await database.drop();
    },
  };
}

async function behindMemoryGates(open: () => Promise<StoresUnderTest>): Promise<StoresUnderTest> {
  const stores = await open();
  const gate = (store: IdempotencyStore<never>) => memoryGate({ store, copyTtlMs: COPY_TTL_MS });
  return { first: gate(stores.first), second: gate(stores.second), close: () => stores.close() };
}

async function behindRedisGates(
  open: () => Promise<StoresUnderTest>,
  locksOver: (nodes: readonly Redis[]) => CreateLocks = () => batchedLocks,
): Promise<StoresUnderTest> {
  const stores = await open();
  const id = randomUUID();
  const namespace = () => `test:${id}`;
  const clients = [1, 2].map(() => connectRedisNodes(inject("redisUrls"), () => {}));
  await Promise.all(
    clients
      .flat()
      .map((node) => node.status === "ready" || new Promise((ready) => node.once("ready", ready))),
  );
  const gate = (store: IdempotencyStore<never>, index: number) =>
    redisGate({
      store,
      nodes: clients[index] ?? [],
      locks: locksOver(clients[index] ?? []),
      namespace,
      copyTtlMs: COPY_TTL_MS,
      // The second one asks the nodes also for what it has answered itself.
      ...(index === 1 ? { memoryBytes: 0 } : {}),
    });
  return {
    first: gate(stores.first, 0),
    second: gate(stores.second, 1),
    async close() {
      for (const node of clients.flat()) {
        node.disconnect();
      }
      await stores.close();
    },
  };
}
