import { randomUUID } from "node:crypto";
import { Redis } from "ioredis";
import Redlock from "redlock";
import { scopeHash } from "../../../src/idempotency/port/scope.js";
import type { ClaimRequest, IdempotencyStore } from "../../../src/idempotency/port/store.js";
import { createMemoryStore } from "../../../src/stores/memory/index.js";
import {
  connectRedisNodes,
  fromRedlock,
  type RedisGateEvent,
  redisGate,
} from "../../../src/stores/redis/index.js";
import { type RedisNodeUnderTest, startRedisNodeUnderTest } from "../servers/redis.js";
import { probe, type StoreProbe } from "./store-probe.js";

/** Three nodes of a suite's own, and a look into them that no gate has. */
export interface RedisNodesUnderTest {
  readonly nodes: readonly [RedisNodeUnderTest, RedisNodeUnderTest, RedisNodeUnderTest];
  /** Runs something against each node, or those named, over a connection of its own. */
  onNodes<Result>(
    look: (node: Redis) => Promise<Result>,
    which?: readonly number[],
  ): Promise<Result[]>;
  stop(): Promise<void>;
}

export async function startRedisNodesUnderTest(): Promise<RedisNodesUnderTest> {
  const nodes = await Promise.all([
    startRedisNodeUnderTest(),
    startRedisNodeUnderTest(),
    startRedisNodeUnderTest(),
  ]);
  return {
    nodes,
    onNodes: (look, which = [0, 1, 2]) =>
      Promise.all(
        nodes
          .filter((_, index) => which.includes(index))
          .map(async ({ url }) => {
            const client = new Redis(url);
            try {
              return await look(client);
            } finally {
              client.disconnect();
            }
          }),
      ),
    async stop() {
      await Promise.all(nodes.map((node) => node.stop()));
    },
  };
}

/** One service process as far as the gate is concerned: connections of its own. */
export interface GateUnderTest {
  readonly gate: IdempotencyStore<never>;
  /** On the line between the gate and the store of record. */
  readonly record: StoreProbe<never>;
  readonly namespace: string;
  readonly events: RedisGateEvent["type"][];
  /** The same deployment in another process: the same store, other connections. */
  beside(more?: Partial<GateOptions>): Promise<GateUnderTest>;
}

interface GateOptions {
  readonly namespace: string;
  /** In its place, where it changes. */
  readonly namespaceNow?: () => string;
  readonly store: IdempotencyStore<never>;
  readonly copyTtlMs: number;
  readonly secret?: string;
  /** Default 0, so that the nodes are asked. */
  readonly memoryBytes?: number;
}

const nameOf =
  (kind: "lock" | "copy") =>
  ({ namespace }: Pick<GateUnderTest, "namespace">, { scope }: Pick<ClaimRequest, "scope">) =>
    `${namespace}:${kind}:${Buffer.from(scopeHash(scope)).toString("hex")}`;

/** What a key's lock and its copy are called in Redis, said apart from the gate. */
export const lockName = nameOf("lock");
export const copyName = nameOf("copy");

/** Whose locks a gate has: ours, or those of the `redlock` package. */
type LocksUnderTest = "batched" | "redlock";

let locksOfAll: LocksUnderTest = "batched";

/** Gives the gates that this test file opens other locks. */
export function useLocks(locks: LocksUnderTest): void {
  locksOfAll = locks;
}

/** Opens gates over the nodes, and closes all of them at once. */
export function gateOpener(
  { nodes }: Pick<RedisNodesUnderTest, "nodes">,
  locks: LocksUnderTest = locksOfAll,
) {
  const clients: Redis[] = [];

  async function open(more: Partial<GateOptions> = {}): Promise<GateUnderTest> {
    const options = {
      namespace: `test:${randomUUID()}:1`,
      store: createMemoryStore(),
      copyTtlMs: 60_000,
      memoryBytes: 0,
      ...more,
    };
    const connected = connectRedisNodes(
      nodes.map(({ url }) => url),
      () => {},
    );
    clients.push(...connected);
    await Promise.all(connected.map(ready));
    const record = probe(options.store);
    const events: RedisGateEvent["type"][] = [];
    const gate = redisGate({
      ...options,
      namespace: options.namespaceNow ?? (() => options.namespace),
      store: record.store,
      nodes: connected,
      ...(locks === "redlock" ? { locks: fromRedlock(redlockOver(connected)) } : {}),
      onEvent: ({ type }) => events.push(type),
    });
    const { namespace } = options;
    return {
      gate,
      record,
      namespace,
      events,
      beside: (others = {}) => open({ ...options, ...others }),
    };
  }

  return {
    open,
    close() {
      for (const client of clients.splice(0)) {
        client.disconnect();
      }
    },
  };
}

export function redlockOver(nodes: readonly Redis[]): Redlock {
  const redlock = new Redlock(nodes);
  redlock.on("error", () => {}); // it tells of each node that is away
  return redlock;
}

/** Resolves once the connection is there, or would have been. */
function ready(node: Redis): Promise<void> {
  return new Promise((resolve) => {
    if (node.status === "ready") {
      resolve();
      return;
    }
    node.once("ready", () => resolve());
    node.once("error", () => resolve());
  });
}

/** All names of a namespace on one node with the milliseconds they have to live; -1 is for ever. */
export async function timesToLive(node: Redis, namespace: string): Promise<Map<string, number>> {
  const names = await node.keys(`${namespace}:*`);
  const times = await Promise.all(names.map((name) => node.pttl(name)));
  return new Map(names.map((name, index) => [name, times[index] ?? -1]));
}

/** How long `work` took, and what it gave. */
export async function timed<Result>(work: () => Promise<Result>) {
  const startedAtMs = performance.now();
  const result = await work();
  return { result, tookMs: performance.now() - startedAtMs };
}
