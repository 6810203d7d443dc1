import { setTimeout as sleep } from "node:timers/promises";
import { Server } from "@grpc/grpc-js";
import { OrderService } from "../../../examples/orders/gen/acme/orders/v1/orders_pb.js";
import {
  idempotencyInterceptor,
  idempotent,
  serviceImplementation,
} from "../../../src/grpc/index.js";
import { createExecutor } from "../../../src/index.js";
import {
  assertDurable,
  createPostgresStore,
  idempotencyMigrations,
  migrate,
  openDatabase,
  watchDeployment,
} from "../../../src/stores/postgres/index.js";
import { connectRedisNodes, redisGate } from "../../../src/stores/redis/index.js";
import { createOrders } from "./orders.js";

const COPY_TTL_MS = 3_600_000;

/** How long calls under way may take once the server stops. */
const DRAIN_LIMIT_MS = 20_000;
/** For the last answers to leave, and for peers to hang up. */
const LINGER_LIMIT_MS = 1_000;

const passed = (durationMs: number) => sleep(durationMs, undefined, { ref: false });

/** Everything a protected service needs, and how to end it. */
export async function createOrderServer(options: {
  readonly databaseUrl: string;
  readonly redisUrls: readonly string[];
  readonly onError: (error: Error) => void;
}) {
  const { databaseUrl, redisUrls, onError } = options;
  const records = openDatabase(databaseUrl, onError);
  const work = openDatabase(databaseUrl, onError); // no flood of duplicates holds up an owner
  await assertDurable(records); // a database that may forget commits is refused
  await migrate(records, idempotencyMigrations);

  const nodes = connectRedisNodes(redisUrls, (_url, error) => onError(error));
  const watch = await watchDeployment(records); // a restore, or settings that may lose commits
  const { deployment, lossySetting } = watch;
  const namespace = () => `orders:${deployment().id}:${deployment().generation}`;
  const storeOfRecord = createPostgresStore(records, { lossySetting });
  const store = redisGate({ store: storeOfRecord, nodes, namespace, copyTtlMs: COPY_TTL_MS });

  const executor = createExecutor({ store });
  const server = new Server({ interceptors: [idempotencyInterceptor({ executor })] });
  const orders = serviceImplementation(OrderService, createOrders(work));
  server.addService(idempotent(OrderService), orders);

  /** Ends in time, whatever its peers and its calls do. End the process then: peers may keep connections. */
  async function stop() {
    executor.stop(); // calls that still arrive are refused, for another process to take
    const closed = new Promise((resolve) => server.tryShutdown(resolve));
    await Promise.race([executor.drained(), passed(DRAIN_LIMIT_MS)]); // also calls whose callers have left
    executor.giveUp(); // what is left is for another process to run again
    await Promise.race([Promise.all([executor.drained(), closed]), passed(LINGER_LIMIT_MS)]);
    server.forceShutdown();
    for (const node of nodes) {
      node.disconnect();
    }
    await watch.stop();
    await Promise.all([records.end(), work.end()]);
  }
  return { server, stop };
}
