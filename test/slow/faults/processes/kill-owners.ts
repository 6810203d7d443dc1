import { setTimeout as sleep } from "node:timers/promises";
import type { Cluster } from "../../../support/service/cluster.js";
import { waitUntil } from "../../../support/service/service-process.js";

/** A service works for up to this long before it is killed. Milliseconds. */
const MAX_LIFE_MS = 500;

/** Until a killed service is back, on a busy machine. */
const START_LIMIT_MS = 30_000;

export interface KillOptions {
  readonly cluster: Pick<Cluster, "services" | "addService">;
  readonly count: number;
  /** From 0 up to 1, as Math.random. */
  readonly random: () => number;
}

/**
 * Kills one service after the other with kill -9, each time any of them at any
 * moment, and starts another process at the same address. One always lives.
 *
 * @returns the process ids of the killed
 */
export async function killOwners({
  cluster,
  count,
  random,
}: KillOptions): Promise<readonly number[]> {
  const running = [...cluster.services];
  const starting: Promise<unknown>[] = [];
  const killed: number[] = [];
  while (killed.length < count) {
    await sleep(random() * MAX_LIFE_MS);
    await waitUntil(() => running.length > 1, START_LIMIT_MS);
    const [victim] = running.splice(Math.floor(random() * running.length), 1);
    if (victim === undefined) {
      throw new RangeError("random takes values from 0 up to 1");
    }
    victim.kill("SIGKILL");
    await victim.exited;
    killed.push(victim.pid);
    const restart = cluster.addService({ GRPC_LISTEN: victim.grpcAddress });
    starting.push(restart.then((service) => running.push(service)));
  }
  await Promise.all(starting);
  return killed;
}
