import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createClientLog } from "../../../invariants/client-log.js";
import { callEach, MANY_CALLS_LIMIT_MS } from "../../../support/calls/call-each.js";
import {
  type FaultCluster,
  seconds,
  startFaultCluster,
  tell,
} from "../../../support/faults/fault-cluster.js";
import { countDecisions } from "../../../support/faults/gate-metrics.js";
import {
  type OwnPostgres,
  portOf,
  startOwnPostgres,
} from "../../../support/faults/own-postgres.js";
import { expectAudit } from "../../../support/operators/audit.js";
import {
  answerOf,
  isReplayed,
  type PaymentsClient,
  paymentOf,
  untilAnswered,
} from "../../../support/payments/payments-client.js";
import { type ServiceProcess, waitUntil } from "../../../support/service/service-process.js";
import { type Standby, startStandby } from "./standby.js";
import { expectOnceDuring } from "./under-load.js";

/** Payments of each kind, that the standby has and that it lost: 200 calls in all. */
const PAYMENTS = 100;

/** Far above the second within which a service looks at its database, on a busy machine. */
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

/** The second one is lost as well, and a third one that it never spoke to takes its place. */
async function failOverAgain(third: Standby): Promise<void> {
  await standby.close();
  await third.promote();
  postgres.proxy.connectTo(portOf(third.url));
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
 * A service learns of the failover from a connection that it makes anew, or
 * within a second. Until then it may answer with a copy of what is lost.
 */
async function untilNoticed(failovers: number): Promise<void> {
  const told = ({ output }: ServiceProcess) => output().split("may have lost rows").length - 1;
  await waitUntil(
    () => cluster.services.every((service) => told(service) >= failovers),
    NOTICE_LIMIT_MS,
  );
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
      await untilNoticed(1);
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

describe("two failovers in a row, each to a standby that has lost rows", () => {
  let third: Standby;

  beforeAll(async () => {
    await startServers();
    third = await startStandby(postgres, "third");
    // The primary was started anew for the copy, on another port.
    standby.link.connectTo(portOf(postgres.directUrl()));
  });
  afterAll(async () => {
    await stopServers();
    await third?.close();
  });

  it(
    "no answer of the one between is given, and nothing is charged again",
    async () => {
      const [one, other] = cluster.services.map(cluster.connect);
      if (one === undefined || other === undefined) {
        throw new Error("services were started");
      }
      const kept = await payAll(one, "kept");
      await Promise.all([standby.caughtUp(), third.caughtUp()]);
      standby.link.cut();
      third.link.cut();

      await failOver();
      await untilNoticed(1);
      const between = await payAll(one, "between");
      const copied = await countDecisions(service(1), "hit");
      await payAll(other, "between");
      expect(await countDecisions(service(1), "hit")).toBeGreaterThan(copied);
      const effects = await cluster.processor.countEffects();

      await failOverAgain(third);
      await untilNoticed(2);
      expect(await processorKeys(third.url)).toHaveLength(PAYMENTS);
      const log = createClientLog();
      const betweenAgain = await payAll(log.on(other), "between");
      const keptAgain = await payAll(log.on(other), "kept");
      expect(betweenAgain.filter(({ result }) => isReplayed(result))).toEqual([]);
      expect(betweenAgain.map(({ id }) => id)).toEqual(between.map(({ id }) => id));
      expect(keptAgain.map(({ answer }) => answer)).toEqual(kept.map(({ answer }) => answer));
      expect(await cluster.processor.countEffects()).toBe(effects);
      tell(
        `two failovers that lost rows: ${PAYMENTS} answers of the database between, replayed 0 by the third, effects ${effects}`,
      );
      await expectAudit(
        { database: { url: third.url }, sandbox: cluster.sandbox },
        { calls: log.calls },
      );
    },
    MANY_CALLS_LIMIT_MS,
  );
});

function service(index: number): ServiceProcess {
  const found = cluster.services[index];
  if (found === undefined) {
    throw new Error("services were started");
  }
  return found;
}
