import pg from "pg";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CaptureMethod } from "../../../../src/gen/payonce/payments/v1/payments_pb.js";
import { paymentIdOfKey } from "../../../../src/payments/operation.js";
import { createClientLog, type Writes } from "../../../invariants/client-log.js";
import { callEach, MANY_CALLS_LIMIT_MS } from "../../../support/calls/call-each.js";
import { tell } from "../../../support/faults/fault-cluster.js";
import { countDecisions } from "../../../support/faults/gate-metrics.js";
import { expectAudit } from "../../../support/operators/audit.js";
import {
  answerOf,
  isReplayed,
  openPayments,
  paymentOf,
  untilAnswered,
} from "../../../support/payments/payments-client.js";
import {
  copyDatabase,
  dropDatabase,
  dumpDatabase,
  loadDump,
} from "../../../support/servers/copy-database.js";
import { startPostgresUnderTest } from "../../../support/servers/postgres.js";
import { type Cluster, startCluster } from "../../../support/service/cluster.js";
import { payonce } from "../../../support/service/command-line.js";
import { openProcessor, type Processor } from "../../../support/service/processor.js";
import type { ServiceProcess } from "../../../support/service/service-process.js";

/** In the backup: payments, some of them to be captured later. */
const EARLY = numbered("early", 80);
/** Made after the backup. */
const LATE = numbered("late", 80);
/** Captures after the backup, of payments that are in it. */
const CAPTURED = EARLY.slice(0, 40);
/** 200 in all. */
const CALLS = EARLY.length + LATE.length + CAPTURED.length;

let cluster: Cluster;
let processor: Processor;
let cleanUp: (() => Promise<void>)[] = [];

beforeEach(async () => {
  cluster = await startCluster({ services: 0 });
  processor = openProcessor(cluster.sandbox.address);
  cleanUp = [];
});

afterEach(async () => {
  processor.close();
  // Services first: they use what is cleaned up.
  await Promise.all(cluster.services.map((service) => service.stop()));
  for (const end of cleanUp) {
    await end();
  }
  await cluster.stop();
});

interface Backup {
  /** Brings the backup back, and returns the URL of the database that is used from then on. */
  restore(): Promise<string>;
}

const ways: readonly { readonly how: string; readonly back: (url: string) => Promise<Backup> }[] = [
  {
    how: "a snapshot on the same server, and `payonce migrate --restored`",
    async back(url) {
      const copy = await copyDatabase(url);
      cleanUp.push(() => dropDatabase(copy));
      return {
        async restore() {
          const { code, stderr } = await payonce(["migrate", "--restored"], { DATABASE_URL: copy });
          expect(code, stderr).toBe(0);
          return copy;
        },
      };
    },
  },
  {
    how: "a dump loaded on another server, which is recognised as another",
    async back(url) {
      const dump = await dumpDatabase(url);
      return {
        async restore() {
          const server = await startPostgresUnderTest();
          cleanUp.push(() => server.stop());
          const { code, stderr } = await payonce(["migrate"], { DATABASE_URL: server.url });
          expect(code, stderr).toBe(0);
          await loadDump(server.url, dump);
          return server.url;
        },
      };
    },
  },
];

describe("a database that is restored from a backup, with everything since then lost", () => {
  it.each(ways)(
    "$how: the same calls make the same payments and charge nothing",
    async (way) => {
      const url = cluster.database.url;
      const first = await serve(url, async (client) => ({
        early: await createAll(client, EARLY),
      }));
      const backup = await way.back(url);
      const later = await serve(url, async (client) => ({
        late: await createAll(client, LATE),
        captured: await captureAll(client, CAPTURED),
      }));
      const before = await operationsIn(url);
      expect(before).toHaveLength(CALLS);
      expect(await processor.countEffects()).toBe(CALLS);

      const restored = await backup.restore();
      expect(await operationsIn(restored)).toHaveLength(EARLY.length);
      const log = createClientLog();
      const again = await serve(restored, async (client, service) => {
        const logged = log.on(client);
        const answers = {
          early: await createAll(logged, EARLY),
          late: await createAll(logged, LATE),
          captured: await captureAll(logged, CAPTURED),
        };
        return { ...answers, hits: await countDecisions(service, "hit") };
      });

      tell(
        `restored ${way.how}: ${LATE.length + CAPTURED.length} of ${CALLS} operations lost; the same ${CALLS} calls again: copies believed ${again.hits}, effects ${await processor.countEffects()}`,
      );
      expect(await processor.countEffects()).toBe(CALLS);
      expect(await operationsIn(restored)).toEqual(before);
      expect(again.hits).toBe(0);
      // What the backup holds is answered as before, with the very same bytes.
      expect(again.early.map(({ answer }) => answer)).toEqual(
        first.early.map(({ answer }) => answer),
      );
      // What was lost is found out again: the same payments, told of anew.
      for (const [lost, found] of [
        [later.late, again.late],
        [later.captured, again.captured],
      ] as const) {
        expect(found.map(({ id }) => id)).toEqual(lost.map(({ id }) => id));
        expect(found.filter((call) => call.isReplayed)).toEqual([]);
      }
      await expectAudit(
        { database: { url: restored }, sandbox: cluster.sandbox },
        { calls: log.calls },
      );
    },
    MANY_CALLS_LIMIT_MS,
  );
});

function numbered(name: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `${name}-${index}`);
}

/** Runs a service on a database for as long as the work takes. */
async function serve<Result>(
  databaseUrl: string,
  work: (client: Writes, service: ServiceProcess) => Promise<Result>,
): Promise<Result> {
  const service = await cluster.addService({ DATABASE_URL: databaseUrl });
  const client = openPayments(service.grpcAddress);
  try {
    return await work(client, service);
  } finally {
    client.close();
    service.kill("SIGTERM");
    await service.exited;
  }
}

interface Called {
  readonly id: string | undefined;
  readonly answer: ReturnType<typeof answerOf>;
  readonly isReplayed: boolean;
}

function createAll(client: Writes, keys: readonly string[]): Promise<readonly Called[]> {
  return callEach(keys, async (key) => {
    const captureMethod = CAPTURED.includes(key) ? CaptureMethod.MANUAL : CaptureMethod.AUTOMATIC;
    const request = paymentOf("tok_visa", { captureMethod });
    const { answer } = await untilAnswered(() => client.createPayment(request, key));
    return called(answer);
  });
}

function captureAll(client: Writes, keys: readonly string[]): Promise<readonly Called[]> {
  return callEach(keys, async (key) => {
    const request = { paymentId: paymentIdOfKey("default", key) };
    const { answer } = await untilAnswered(() => client.capturePayment(request, `capture-${key}`));
    return called(answer);
  });
}

function called(
  result: Awaited<ReturnType<Writes["createPayment"] | Writes["capturePayment"]>>,
): Called {
  return {
    id: result.response?.payment?.id,
    answer: answerOf(result),
    isReplayed: isReplayed(result),
  };
}

/** The names that operations go by, ours and the processor's. */
async function operationsIn(url: string) {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query(
    "SELECT id, payment_id, processor_key, kind, state FROM operations ORDER BY id",
  );
  await client.end();
  return rows;
}
