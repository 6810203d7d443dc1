import { startPaymentService } from "../lab/payment-service.js";
import { query } from "../lab/query.js";
import type { Study } from "../studies.js";

const CALLERS = 128;
const STRETCH_SECONDS = 30;

/** What a database without statistics does of what it does with them. The process is new too. */
const FLOOR = 0.9;
const GOAL = 1;

/** The first half minute of a service on an empty database, against the one after an ANALYZE. */
export const studyFirstMinute: Study = async (lab, { rounds }) => {
  const { postgres, redis, dataDir, generator } = lab;
  const turns: { readonly first: number; readonly analyzed: number }[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const databaseUrl = await postgres.databases.createEmpty();
    const service = await startPaymentService({ databaseUrl, redisUrls: redis.urls, dataDir });
    const pay = async (prefix: string) => {
      const { calls, seconds } = await generator.ask({
        targets: [service.grpcAddress],
        prefix: `${prefix}-${round}`,
        traffic: { kind: "new keys" },
        callers: CALLERS,
        seconds: STRETCH_SECONDS,
      });
      return calls / seconds;
    };
    try {
      const first = await pay("first");
      await query(databaseUrl, "ANALYZE");
      turns.push({ first, analyzed: await pay("analyzed") });
    } finally {
      await service.stop();
      await postgres.databases.drop(databaseUrl);
    }
  }
  return {
    rows: [
      {
        group: "first-minute",
        figure: "throughput",
        measured: `payments, first ${STRETCH_SECONDS} s on an empty database`,
        baseline: "after ANALYZE",
        atOnce: CALLERS,
        floor: FLOOR,
        goal: GOAL,
        ratios: turns.map(({ first, analyzed }) => first / analyzed),
      },
    ],
    tables: [
      {
        title: `An empty database, ${STRETCH_SECONDS} s before and after ANALYZE`,
        lines: turns.map(({ first, analyzed }) => ({
          "payments/s at first": first,
          "payments/s after ANALYZE": analyzed,
        })),
      },
    ],
  };
};
