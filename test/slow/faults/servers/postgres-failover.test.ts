import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createClientLog } from "../../../invariants/client-log.js";
import { expectAudit } from "../../../support/audit.js";
import { callEach, MANY_CALLS_LIMIT_MS } from "../../../support/call-each.js";
import {
  answerOf,
  isReplayed,
  type PaymentsClient,
  paymentOf,
  untilAnswered,
} from "../../../support/payments-client.js";
import { type ServiceProcess, waitUntil } from "../../../support/service-process.js";
import { type FaultCluster, seconds, startFaultCluster, tell } from "../processes/fault-cluster.js";
import { countDecisions } from "./gate-metrics.js";
import { type OwnPostgres, portOf, startOwnPostgres } from "./own-postgres.js";
import { type Standby, startStandby } from "./standby.js";
import { expectOnceDuring } from "./under-load.js";

/** Payments of each kind, that the standby has and that it lost: 200 calls in all. */
const PAYMENTS = 100;

/** Far above the time between two looks for claims past their lease, each of which needs a connection. */
const NOTICE_LIMIT_MS = 20_000;

const UNDER_LOAD_MS = 500;

let cluster: FaultCluster;
let postgres: OwnPostgres;
let standby: Standby;

async function startServers(): Promise<void> {
  [cluster, postgres] = await Promise.all([startFaultCluster({ services: 0 }), startOwnPostgres()]);
  standby = await startStandby(postgres);
  const env = { DATABASE_URL: postgres.url };
  await Promise.all([cluster.addService(env), cluster.addService(env)]);
}

async function stopServers(): Promise<void> {
  await cluster?.stop();
  await standby?.close();
  await postgres?.close();
}

/** The primary is gone at once, and the standby takes its place and its address. */
async function failOver(): Promise<number> {
  const startedAtMs = performance.now();
  await postgres.stopImmediately();
  await standby.promote();
  postgres.proxy.connectTo(portOf(standby.url));
  return performance.now() - startedAtMs;
}

async function payAll(client: Pick<PaymentsClient, "createPayment">, prefix: string) {
  const keys = Array.from({ length: PAYMENTS }, (_, index) => `${prefix}-${index}`);
  return callEach(keys, async (key) => {
    const { answer } = await untilAnswered(() => client.createPayment(paymentOf("tok_visa"), key));
    return { key, result: answer, answer: answerOf(answer), id: answer.response?.payment?.id };
  });
}

/**
 * A service learns of the failover from the first connection that it makes
 * anew. Until then it may answer with a copy of what the standby has lost.
 */
async function untilCopiesAreVoid(
  service: ServiceProcess | undefined,
  replay: () => Promise<unknown>,
): Promise<void> {
  if (service === undefined) {
    throw new Error("services were started");
  }
  await waitUntil(async () => {
    const before = await countDecisions(service, "hit");
    await replay();
    return (await countDecisions(service, "hit")) === before;
  }, NOTICE_LIMIT_MS);
}

async function processorKeys(url: string): Promise<readonly string[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query<{ processor_key: string }>(
    "SELECT processor_key FROM operations ORDER BY processor_key",
  );
  await client.end();
  return rows.map(({ processor_key }) => processor_key);
}

describe("a failover to a synchronous standby", () => {
  beforeAll(startServers);
  afterAll(stopServers);

  it(
    "under load: no answer is lost, and each key is charged once",
    async () => {
      await standby.makeSynchronous();
      const client = cluster.connect(cluster.services[0]);
      const before = await payAll(client, "confirmed");
      let tookMs = 0;
      await expectOnceDuring(cluster, {
        what: "failover to a synchronous standby under load",
        async begin() {
          tookMs = await failOver();
        },
        lastsMs: UNDER_LOAD_MS,
        end: () => {},
      });
      const after = await payAll(cluster.connect(cluster.services[1]), "confirmed");
      tell(
        `failover to a synchronous standby in ${seconds(tookMs)}: ${before.length} answers kept`,
      );
      expect(after.map(({ answer }) => answer)).toEqual(before.map(({ answer }) => answer));
      expect(after.every(({ result }) => isReplayed(result))).toBe(true);
      await expectAudit(
        { database: { url: standby.url }, sandbox: cluster.sandbox },
        { calls: cluster.log.calls },
      );
    },
    MANY_CALLS_LIMIT_MS,
  );
});

describe("a failover to an asynchronous standby that has lost rows", () => {
  beforeAll(startServers);
  afterAll(stopServers);

  it(
    "the same calls make the same payments, and nothing is charged again",
    async () => {
      const [service] = cluster.services;
      const log = createClientLog();
      const client = cluster.connect(service);
      const kept = await payAll(client, "kept");
      await standby.caughtUp();
      standby.link.cut();
      const lost = await payAll(client, "lost");
      const keys = await processorKeys(postgres.directUrl());
      const effects = await cluster.processor.countEffects();
      expect(effects).toBe(2 * PAYMENTS);

      const tookMs = await failOver();
      expect(await processorKeys(standby.url)).toHaveLength(PAYMENTS);
      await untilCopiesAreVoid(service, () =>
        client.createPayment(paymentOf("tok_visa"), "kept-0"),
      );
      const again = log.on(client);
      const keptAgain = await payAll(again, "kept");
      const lostAgain = await payAll(again, "lost");

      expect(keptAgain.map(({ answer }) => answer)).toEqual(kept.map(({ answer }) => answer));
      expect(lostAgain.map(({ id }) => id)).toEqual(lost.map(({ id }) => id));
      // No copy of a lost answer is believed: what it says is in no database any more.
      expect(lostAgain.filter(({ result }) => isReplayed(result)).length).toBe(0);
      expect(await processorKeys(standby.url)).toEqual(keys);
      expect(await cluster.processor.countEffects()).toBe(effects);
      tell(
        `failover in ${seconds(tookMs)} to an asynchronous standby that lost ${PAYMENTS} of ${2 * PAYMENTS} payments: the same ${2 * PAYMENTS} calls again, effects ${effects}`,
      );
      await expectAudit(
        { database: { url: standby.url }, sandbox: cluster.sandbox },
        { calls: log.calls },
      );
    },
    MANY_CALLS_LIMIT_MS,
  );
});
