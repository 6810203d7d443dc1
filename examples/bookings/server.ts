import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { pathToFileURL } from "node:url";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { idempotent, ROUTER_OPTIONS, serviceImplementation } from "../../src/connect/index.js";
import { createExecutor, repeatableMethods, startReaper, startRecovery } from "../../src/index.js";
import {
  assertDurable,
  idempotencyMigrations,
  migrate,
  openDatabase,
} from "../../src/stores/postgres/index.js";
import { createBookings } from "./bookings.js";
import { openDeposits } from "./deposits.js";
import { BookingService } from "./gen/acme/bookings/v1/bookings_pb.js";
import { bookingMigrations } from "./rooms.js";
import { openStore } from "./store.js";

interface BookingServerOptions {
  readonly port: number;
  readonly databaseUrl: string;
  readonly paymentsUrl: string;
  readonly redisUrls: readonly string[];
}

/** Serves the bookings over Connect and JSON until the process ends. */
async function startBookingServer(options: BookingServerOptions): Promise<Server> {
  const { port, databaseUrl, paymentsUrl, redisUrls } = options;
  const onError = (error: Error) => console.error(error.message);
  // Two pools: no flood of duplicates may hold up the work of those that own a claim.
  const records = openDatabase(databaseUrl, onError);
  const pool = openDatabase(databaseUrl, onError);
  await assertDurable(records);
  await migrate(records, [...idempotencyMigrations, ...bookingMigrations]);

  const store = await openStore(records, redisUrls);
  const executor = createExecutor({ store });
  const bookings = createBookings({ pool, takeDeposit: openDeposits(paymentsUrl) });

  startRecovery({ store, executor, methods: repeatableMethods(BookingService, bookings) });
  startReaper({ store });

  const implementation = serviceImplementation(BookingService, bookings);
  const server = createServer(
    connectNodeAdapter({
      ...ROUTER_OPTIONS,
      routes(router) {
        router.service(BookingService, idempotent(BookingService, implementation, { executor }));
      },
    }),
  );
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return server;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const [port, databaseUrl, paymentsUrl, ...redisUrls] = process.argv.slice(2);
  if (port === undefined || databaseUrl === undefined || paymentsUrl === undefined) {
    throw new Error("usage: server.js PORT DATABASE_URL PAYMENTS_URL [REDIS_URL ...]");
  }
  const server = await startBookingServer({
    port: Number(port),
    databaseUrl,
    paymentsUrl,
    redisUrls,
  });
  // A TCP server's address is never a string.
  console.log(`bookings on http://127.0.0.1:${(server.address() as AddressInfo).port}`);
}
