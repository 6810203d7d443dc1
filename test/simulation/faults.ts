import type { Random } from "../support/random.js";
import type { Host } from "./host.js";
import type { Network, Server } from "./network.js";
import type { Operator } from "./operator.js";
import type { Plan } from "./plan.js";
import type { RedisNode } from "./redis-node.js";
import type { Scheduler } from "./scheduler.js";
import type { Trace } from "./trace.js";

/** What faults happen to. */
export interface Targets {
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly trace: Trace;
  readonly network: Network;
  /** Whoever runs at that place now. */
  readonly hostAt: (place: number) => Host;
  readonly databaseServer: Server;
  readonly processorServer: Server;
  readonly redisNodes: readonly RedisNode[];
  readonly operator: Operator;
  readonly moveDatabaseClock: (byMs: number) => void;
}

const PAUSES_MS = [300, 3_000, 6_000, 12_000, 25_000] as const;
const OUTAGES_MS = [300, 3_000, 8_000] as const;
const CLOCK_JUMPS_MS = [-20_000, -3_000, 1_000, 6_000, 20_000] as const;
const REDIS_CLOCK_JUMPS_MS = [-60_000, -1_000, 2_000, 60_000] as const;

/** Plans all faults of a world, and who looks after them, at moments of the seed's choice. */
export function planFaults(targets: Targets, plan: Plan): void {
  const { scheduler, random, trace, network, hostAt } = targets;
  const anyHost = () => hostAt(random.integer(0, plan.processes - 1));
  const times = (count: number, fault: () => void) => {
    for (let done = 0; done < count; done += 1) {
      scheduler.after(random.integer(0, plan.faultsUntilMs), fault);
    }
  };
  const away = (server: Server, durationMs: number) => {
    trace.add(`${server.name} is away for ${durationMs} ms`);
    server.setAway(true);
    scheduler.after(durationMs, () => server.setAway(false));
  };

  times(plan.crashes, () => anyHost().crash());
  times(plan.pauses, () => anyHost().pause(random.pick(PAUSES_MS)));
  times(plan.cuts, () => {
    const servers = [targets.databaseServer, targets.processorServer];
    const nodes = targets.redisNodes.map(({ server }) => server);
    network.cut(anyHost().name, random.pick([...servers, ...nodes]).name, random.pick(PAUSES_MS));
  });
  times(plan.outages, () => {
    const server = random.pick([targets.databaseServer, targets.processorServer]);
    away(server, random.pick(OUTAGES_MS));
  });
  times(plan.wrongClocks === "none" ? 0 : plan.clockJumps, () => {
    const byMs = random.pick(CLOCK_JUMPS_MS);
    if (plan.wrongClocks === "database") {
      trace.add(`the database's clock moves by ${byMs} ms`);
      targets.moveDatabaseClock(byMs);
    } else {
      const host = anyHost();
      trace.add(`the wall clock of ${host.name} moves by ${byMs} ms`);
      host.setWallClock(byMs);
    }
  });
  times(plan.operatorLooks, () => void targets.operator.look());
  times(targets.redisNodes.length === 0 ? 0 : plan.redisFaults, () => {
    // One fault often takes a majority.
    for (const node of targets.redisNodes.filter(() => random.chance(0.6))) {
      spoil(node);
    }
  });

  function spoil(node: RedisNode): void {
    const fault = random.pick(["wipe", "clock", "away", "damage"]);
    trace.add(`${node.server.name}: ${fault}`);
    switch (fault) {
      case "wipe":
        node.wipe();
        break;
      case "clock":
        node.moveClock(random.pick(REDIS_CLOCK_JUMPS_MS));
        break;
      case "away":
        away(node.server, random.pick(OUTAGES_MS));
        break;
      case "damage":
        node.setDamage(0.5);
        break;
    }
  }
}
