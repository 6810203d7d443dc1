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

  async function stop() {
    await new Promise((resolve) => server.tryShutdown(resolve));
    await executor.drained(); // also calls whose callers have left
    for (const node of nodes) {
      node.disconnect();
    }
    await watch.stop();
    await Promise.all([records.end(), work.end()]);
  }
  return { server, stop };
}
