import { setTimeout as sleep } from "node:timers/promises";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Redis } from "ioredis";
import pg from "pg";
import { FaultAction } from "../../src/gen/payonce/sandbox/v1/sandbox_pb.js";
import type { TcpProxy } from "../support/calls/tcp-proxy.js";
import type { ShiftedClock } from "../support/clock-shim/clock-shim.js";
import { createRandom, type Random } from "../support/random.js";
import type { SoakCluster } from "./cluster.js";
import type { FaultKind, PlannedFault } from "./plan.js";
import type { ProcessorFault } from "./processor-faults.js";
import { LONGEST_DELAY_MS } from "./settings.js";

/** Much longer than any lock or lease. Seconds. */
const CLOCK_JUMP_SECONDS = 60;

const SLOW_NETWORK_MS = 300;
const MAX_ARMED_CALLS = 30;

/** A restore and the backup before it take more than the part that is harmed. */
export type HarmKind = Exclude<
  FaultKind,
  "crash of the database, and a backup" | "restore of the database"
>;

/** Does what is planned, and undoes it again. Resolves once the part is whole. */
export async function inflict(
  cluster: SoakCluster,
  kind: HarmKind,
  fault: PlannedFault,
): Promise<void> {
  const { targets, lastsMs } = fault;
  const random = createRandom(fault.seed);
  const pause = () => sleep(lastsMs);
  const nodes = cluster.redis.filter((_, index) => targets.includes(index));
  const clocks = cluster.clocks.filter((_, index) => targets.includes(index));
  const [service] = cluster.services.filter((_, index) => targets.includes(index));
  switch (kind) {
    case "kill -9 of a service":
      return service?.restart("SIGKILL", pause);
    case "SIGTERM of a service":
      return service?.restart("SIGTERM", pause);
    case "SIGSTOP of a service past its lease":
      service?.process().kill("SIGSTOP");
      await pause();
      service?.process().kill("SIGCONT");
      return;
    case "clock of a service jumps":
      return jump(clocks, random, pause);
    case "SIGSTOP of Redis nodes":
      for (const { node } of nodes) {
        node.pause();
      }
      await pause();
      for (const { node } of nodes) {
        node.resume();
      }
      return;
    case "kill -9 of Redis nodes":
      await Promise.all(nodes.map(({ node }) => node.kill()));
      await pause();
      await Promise.all(nodes.map(({ node }) => node.restart()));
      return;
    case "FLUSHALL of Redis nodes":
      await Promise.all(nodes.map(({ node }) => flush(node.url)));
      return;
    case "clocks of Redis nodes jump":
      return jump(
        nodes.flatMap(({ clock }) => clock ?? []),
        random,
        pause,
      );
    case "network of Redis nodes":
      return breakNetwork(
        nodes.map(({ proxy }) => proxy),
        random,
        pause,
      );
    case "end of database connections":
      return endConnections(cluster.database.directUrl(), random.next());
    case "crash of the database":
      await cluster.database.stopImmediately();
      await pause();
      return cluster.database.start();
    case "network of the database":
      return breakNetwork([cluster.database.proxy], random, pause);
    case "armed faults of the processor":
      await cluster.processorFaults.arm(pickFault(random));
      await pause();
      return cluster.processorFaults.arm();
    case "kill -9 of the processor":
      await cluster.processor.restart(pause);
      return cluster.processorFaults.arm();
    case "network of the processor":
      return breakNetwork([cluster.processor.proxy], random, pause);
  }
}

export async function flush(redisUrl: string): Promise<void> {
  const client = new Redis(redisUrl);
  try {
    await client.flushall();
  } finally {
    client.disconnect();
  }
}

/** Shifts clocks there and back: two jumps. */
async function jump(
  clocks: readonly ShiftedClock[],
  random: Random,
  pause: () => Promise<unknown>,
): Promise<void> {
  const seconds = random.pick([CLOCK_JUMP_SECONDS, -CLOCK_JUMP_SECONDS]);
  await Promise.all(clocks.map((clock) => clock.shift(seconds)));
  await pause();
  await Promise.all(clocks.map((clock) => clock.shift(0)));
}

async function breakNetwork(
  proxies: readonly TcpProxy[],
  random: Random,
  pause: () => Promise<unknown>,
): Promise<void> {
  const harm = random.pick<(proxy: TcpProxy) => void>([
    (proxy) => proxy.cut(),
    (proxy) => proxy.hold("to server"),
    (proxy) => proxy.hold("to client"),
    (proxy) => proxy.delay(SLOW_NETWORK_MS),
  ]);
  proxies.forEach(harm);
  await pause();
  for (const proxy of proxies) {
    proxy.heal();
  }
}

/** Ends about this part of all connections of services. */
async function endConnections(url: string, part: number): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE application_name = 'payonce' AND random() < $1::float8`,
      [part],
    );
  } finally {
    await client.end();
  }
}

/** Any but a key forgotten within its window: no caller could live with that. */
function pickFault(random: Random): ProcessorFault {
  const delay = durationFromMs(random.integer(100, LONGEST_DELAY_MS));
  const code = random.integer(1, 16);
  const fault = random.pick([
    { action: FaultAction.DROP_BEFORE },
    { action: FaultAction.DROP_AFTER },
    { action: FaultAction.ERROR_BEFORE, code },
    { action: FaultAction.ERROR_AFTER, code },
    { action: FaultAction.DELAY_BEFORE, delay },
    { action: FaultAction.DELAY_AFTER, delay },
    { action: FaultAction.DECLINE },
    { action: FaultAction.NEVER },
  ]);
  return { ...fault, count: random.integer(1, MAX_ARMED_CALLS) };
}
