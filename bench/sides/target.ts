import { serviceBefore } from "../baselines/service-before.js";
import { countPayments } from "../lab/databases.js";
import type { Lab } from "../lab/lab.js";
import { executionsIn, readMetrics } from "../lab/metrics.js";
import { startPaymentService } from "../lab/payment-service.js";
import { startProgram } from "../lab/program.js";
import type { HandlerServerSettings } from "../programs/handler-server.js";

/** What the load generator can call. */
export interface Target {
  readonly addresses: readonly string[];
  readonly pids: readonly number[];
  /** Whether a key that comes again is answered without doing its work again. */
  readonly repeats: "executed again" | "answered from what is kept";
  /** How often work was done since the start. @throws if its traces contradict each other. */
  executions(): Promise<number>;
}

type StartTarget = (lab: Lab) => Promise<Target>;

/** Everything that can be called, by its name. */
export const targets = {
  "no-op server": startServer("no-op-server", "executed again"),
  "bare handler": handlerBehind("none"),
  gate: handlerBehind("ours"),
  // In one process, the new keys would push out what is called again.
  "gate for replays": handlerBehind("ours"),
  "gate that keeps no answers": handlerBehind("ours, keeping no answers"),
  "gate with redlock's locks": handlerBehind("ours, with redlock's locks"),
  "redlock gate": handlerBehind("redlock"),
  payments: paymentServices({ processes: 1 }),
  "payments, two processes": paymentServices({ processes: 2 }),
  "payments, three processes": paymentServices({ processes: 3 }),
  "payments before": async (lab) =>
    paymentServices({ processes: 1, entry: await serviceBefore() })(lab),
} satisfies Record<string, StartTarget>;

export type TargetName = keyof typeof targets;

function handlerBehind(gate: HandlerServerSettings["gate"]): StartTarget {
  const repeats = gate === "none" ? "executed again" : "answered from what is kept";
  return (lab) => {
    const settings: HandlerServerSettings = { gate, redisUrls: lab.redis.urls };
    return startServer("handler-server", repeats, settings)(lab);
  };
}

function startServer(program: string, repeats: Target["repeats"], settings?: unknown): StartTarget {
  return async ({ shutdown }) => {
    const server = await startProgram<null, { address: string; executions: number }>(
      program,
      settings,
    );
    shutdown.add(() => server.stop());
    const { address } = await server.ask(null);
    return {
      addresses: [address],
      pids: [server.pid],
      repeats,
      executions: async () => (await server.ask(null)).executions,
    };
  };
}

function paymentServices({
  processes,
  entry,
}: {
  readonly processes: number;
  readonly entry?: string;
}): StartTarget {
  return async ({ redis, postgres, dataDir, shutdown }) => {
    const databaseUrl = await postgres.databases.create();
    const services = await Promise.all(
      Array.from({ length: processes }, async () => {
        const service = await startPaymentService({
          databaseUrl,
          redisUrls: redis.urls,
          dataDir,
          ...(entry === undefined ? {} : { entry }),
        });
        shutdown.add(() => service.stop());
        return service;
      }),
    );
    const paymentsBefore = await countPayments(databaseUrl);
    return {
      addresses: services.map(({ grpcAddress }) => grpcAddress),
      pids: services.map(({ pid }) => pid),
      repeats: "answered from what is kept",
      async executions() {
        const payments = (await countPayments(databaseUrl)) - paymentsBefore;
        const counts = await Promise.all(
          services.map(async ({ httpAddress }) => executionsIn(await readMetrics(httpAddress))),
        );
        const executions = counts.reduce((sum, count) => sum + count, 0);
        if (executions !== payments) {
          throw new Error(`${executions} executions made ${payments} payments`);
        }
        return executions;
      },
    };
  };
}
