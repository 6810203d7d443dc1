import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { clusterIn } from "../../../../src/dev-servers/postgres-cluster.js";
import { callEach, MANY_CALLS_LIMIT_MS } from "../../../support/calls/call-each.js";
import { tell } from "../../../support/faults/fault-cluster.js";
import { countDecisions } from "../../../support/faults/gate-metrics.js";
import { type OwnPostgres, startOwnPostgres } from "../../../support/faults/own-postgres.js";
import { expectAudit } from "../../../support/operators/audit.js";
import {
  isReplayed,
  openPayments,
  type PaymentsClient,
  paymentOf,
  untilAnswered,
} from "../../../support/payments/payments-client.js";
import {
  copyDatabase,
  dropDatabase,
  dumpDatabase,
  loadDump,
} from "../../../support/servers/copy-database.js";
import { copyFiles } from "../../../support/servers/copy-files.js";
import { onDatabase } from "../../../support/servers/on-database.js";
import { type Cluster, startCluster } from "../../../support/service/cluster.js";
import { openProcessor, type Processor } from "../../../support/service/processor.js";
import { type ServiceProcess, waitUntil } from "../../../support/service/service-process.js";
import { copyData, type ServerOnCopy, startOnCopy } from "./data-directory.js";

/** In the backup, beside a payment to warm up. */
const EARLY = numbered("early");
/** Made on the original, after the backup. */
const LATE = numbered("late");
/** Made after the first restore; lost in the second one. */
const BETWEEN = numbered("between");

/** Until a service has asked its nodes and heard of them, on a busy machine. */
const NODES_LIMIT_MS = 20_000;

const RESTORE_POINT = "the_backup";

let cluster: Cluster;
let processor: Processor;
let original: OwnPostgres;
let cleanUp: (() => Promise<void>)[];

beforeEach(async () => {
  // Answers kept in the process would hide what the nodes say.
  const env = { RESPONSE_CACHE_MEMORY_MIB: "0" };
  [cluster, original] = await Promise.all([startCluster({ services: 0, env }), startOwnPostgres()]);
  processor = openProcessor(cluster.sandbox.address);
  cleanUp = [];
});

afterEach(async () => {
  processor.close();
  await Promise.all(cluster.services.map((service) => service.stop()));
  for (const end of cleanUp.reverse()) {
    await end();
  }
  await original.close();
  await cluster.stop();
});

interface Restored {
  readonly url: string;
  close(): Promise<void>;
}

interface Backup {
  /** Called once the original has gone on, and is not needed any more. */
  prepare(): Promise<void>;
  restore(): Promise<Restored>;
}

const ways: readonly { readonly how: string; readonly back: () => Promise<Backup> }[] = [
  {
    how: "a dump, loaded into one database each time",
    async back() {
      const dump = await dumpDatabase(original.directUrl());
      const database = await copyDatabase(original.directUrl());
      return {
        prepare: async () => {},
        async restore() {
          await loadDump(database, dump);
          return { url: database, close: async () => {} };
        },
      };
    },
  },
  {
    how: "a database kept as a template",
    async back() {
      const template = await copyDatabase(original.directUrl());
      return {
        prepare: async () => {},
        async restore() {
          const url = await copyDatabase(template);
          return { url, close: () => dropDatabase(url) };
        },
      };
    },
  },
  {
    how: "a data directory put back",
    async back() {
      const data = await copyData(original);
      return { prepare: async () => {}, restore: () => closedLater(startOnCopy(data)) };
    },
  },
  {
    how: "a base backup and the log, to a point in time",
    async back() {
      const data = await copyData(original);
      await onDatabase(original.directUrl(), async (client) => {
        await client.query("SELECT pg_create_restore_point($1)", [RESTORE_POINT]);
      });
      return {
        async prepare() {
          await original.stopInOrder();
          const { data: written } = clusterIn(join(original.dataDir, "postgres"));
          await copyFiles(join(written, "pg_wal"), join(data.data, "pg_wal"));
        },
        restore: () =>
          closedLater(
            startOnCopy(data, {
              signal: "recovery.signal",
              configuration: [
                "restore_command = 'false'", // all of the log is there
                `recovery_target_name = '${RESTORE_POINT}'`,
                "recovery_target_action = 'promote'",
              ],
            }),
          ),
      };
    },
  },
];

describe("a database that is restored twice from one backup", () => {
  it.each(ways)(
    "$how: no answer of the first time is given the second time, and nothing is charged again",
    async ({ how, back }) => {
      await serve(original.url, [EARLY]);
      const backup = await back();
      await serve(original.url, [LATE]);
      await backup.prepare();

      const first = await backup.restore();
      expect(await countOperations(first.url)).toBe(EARLY.length + 1);
      const [made] = await serve(first.url, [BETWEEN]);
      // The copies are there: another process of the same database answers with them.
      const [copied] = await serve(first.url, [BETWEEN]);
      expect(made?.replayed).toBe(0);
      expect(copied?.hits).toBeGreaterThan(0);
      const effects = await processor.countEffects();
      await first.close();

      const second = await backup.restore();
      expect(await countOperations(second.url)).toBe(EARLY.length + 1);
      const [again, late] = await serve(second.url, [BETWEEN, LATE]);
      tell(
        `restored twice, ${how}: ${BETWEEN.length} answers of the first time, replayed ${again?.replayed} the second time, effects ${await processor.countEffects()}`,
      );
      expect(again).toMatchObject({ ids: made?.ids, replayed: 0, hits: 0 });
      expect(late).toMatchObject({ replayed: 0, hits: 0 });
      expect(await processor.countEffects()).toBe(effects);
      expect(await countOperations(second.url)).toBe(
        1 + EARLY.length + BETWEEN.length + LATE.length,
      );
      await expectAudit({ database: { url: second.url }, sandbox: cluster.sandbox });
    },
    MANY_CALLS_LIMIT_MS,
  );
});

describe("a clone of a database beside it, on the same Redis", () => {
  it(
    "answers with nothing that only the other one holds",
    async () => {
      await serve(original.url, [EARLY]);
      const clone = await copyDatabase(original.directUrl());
      const [made] = await serve(original.url, [BETWEEN]);
      const [copied] = await serve(original.url, [BETWEEN]);
      expect(copied?.hits).toBeGreaterThan(0);
      const effects = await processor.countEffects();

      const [cloned, early] = await serve(clone, [BETWEEN, EARLY]);
      expect(cloned).toMatchObject({ ids: made?.ids, replayed: 0, hits: 0 });
      expect(early).toMatchObject({ replayed: EARLY.length, hits: 0 });
      // And the other way round: the original believes its own copies still.
      const [after] = await serve(original.url, [BETWEEN]);
      expect(after?.replayed).toBe(BETWEEN.length);
      expect(after?.hits).toBeGreaterThan(0);
      expect(await processor.countEffects()).toBe(effects);
      expect(await countOperations(clone)).toBe(1 + EARLY.length + BETWEEN.length);
    },
    MANY_CALLS_LIMIT_MS,
  );
});

function numbered(name: string): readonly string[] {
  return Array.from({ length: 20 }, (_, index) => `${name}-${index}`);
}

interface Called {
  readonly ids: readonly (string | undefined)[];
  readonly replayed: number;
  /** Answered by a copy in Redis. */
  readonly hits: number;
}

/** Makes payments on a service of its own, one set of keys after the other. */
async function serve(
  databaseUrl: string,
  sets: readonly (readonly string[])[],
): Promise<readonly Called[]> {
  const service = await cluster.addService({ DATABASE_URL: databaseUrl });
  const client = openPayments(service.grpcAddress);
  const called: Called[] = [];
  try {
    await untilNodesAnswer(service, client);
    for (const keys of sets) {
      const before = await countDecisions(service, "hit");
      const answers = await callEach(keys, async (key) => {
        const call = () => client.createPayment(paymentOf("tok_visa"), key);
        return (await untilAnswered(call)).answer;
      });
      called.push({
        ids: answers.map(({ response }) => response?.payment?.id),
        replayed: answers.filter(isReplayed).length,
        hits: (await countDecisions(service, "hit")) - before,
      });
    }
  } finally {
    client.close();
    service.kill("SIGTERM");
    await service.exited;
  }
  return called;
}

/** A service on a busy machine begins without its Redis, and goes on without for a while. */
async function untilNodesAnswer(service: ServiceProcess, client: PaymentsClient): Promise<void> {
  const decided = async () =>
    (await countDecisions(service, "hit")) + (await countDecisions(service, "granted"));
  await waitUntil(async () => {
    const before = await decided();
    await client.createPayment(paymentOf("tok_visa"), "warm-up");
    return (await decided()) > before;
  }, NODES_LIMIT_MS);
}

async function closedLater(starting: Promise<ServerOnCopy>): Promise<Restored> {
  const server = await starting;
  cleanUp.push(server.close);
  return server;
}

async function countOperations(url: string): Promise<number> {
  return onDatabase(url, async (client) => {
    const { rowCount } = await client.query("SELECT FROM operations");
    return rowCount ?? 0;
  });
}
