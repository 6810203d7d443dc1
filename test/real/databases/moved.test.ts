import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { auditServers, expectAudit, violationsIn } from "../../support/operators/audit.js";
import { isReplayed, openPayments, paymentOf } from "../../support/payments/payments-client.js";
import { dumpDatabase, loadDump } from "../../support/servers/copy-database.js";
import { onDatabase } from "../../support/servers/on-database.js";
import { createDatabase, type TestDatabase } from "../../support/servers/postgres.js";
import { createRole, type TestRole } from "../../support/servers/roles.js";
import { type Cluster, startCluster } from "../../support/service/cluster.js";
import { payonce } from "../../support/service/command-line.js";

const PAYMENTS = 30;
const SEQUENCES = [
  "idempotency_fencing_tokens",
  "ledger_entries_id_seq",
  "payment_events_id_seq",
  "payments_sequence_seq",
];

let cluster: Cluster;
let moved: TestDatabase;
let reader: TestRole;

beforeAll(async () => {
  [cluster, moved, reader] = await Promise.all([
    startCluster({ services: 1 }),
    createDatabase(),
    createRole(),
  ]);
  await pay(cluster.targets()[0] ?? "", "before");
  await cluster.services[0]?.stop();
  // The rows without their sequences, as logical replication and parts of a dump bring them.
  expect(await payonce(["migrate"], { DATABASE_URL: moved.url })).toMatchObject({ code: 0 });
  const { tables } = await dumpDatabase(cluster.database.url);
  await loadDump(moved.url, { tables, sequences: [] });
});

afterAll(async () => {
  await cluster?.stop();
  await moved?.drop();
  await reader?.drop();
});

/** Makes payments under keys that begin so, and gives the first answer of each. */
async function pay(target: string, prefix: string) {
  const payments = openPayments(target);
  const create = (key: string) => payments.createPayment(paymentOf("tok_visa"), key);
  const keys = Array.from({ length: PAYMENTS }, (_, index) => `${prefix}-${index}`);
  const answers = await Promise.all(keys.map(create));
  payments.close();
  return answers;
}

describe("rows that were moved without their sequences", () => {
  it("are told by the audit, sequence by sequence", async () => {
    const report = await auditServers({ database: moved, sandbox: cluster.sandbox });
    const behind = violationsIn(report).filter((line) => line.startsWith("I13: sequence"));
    expect(
      behind.map((line) => /^I13: sequence (\w+) stands at 0, behind \d+ in/.exec(line)?.[1]),
    ).toEqual(SEQUENCES);
  });

  it("stop the start of a role that may not raise them, and nothing has begun", async () => {
    await onDatabase(moved.url, (client) =>
      client.query(
        `GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO ${reader.name};
         GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO ${reader.name}`,
      ),
    );
    const url = reader.on(moved.url);
    for (let start = 0; start < 2; start++) {
      const { code, stderr } = await payonce(["serve"], {
        DATABASE_URL: url,
        PROCESSOR_URL: "instant:",
        LOG_LEVEL: "error",
      });
      expect(code).toBe(1);
      expect(stderr).toMatch(
        /^DATABASE_URL: the sequence \w+ stands at 0, behind \d+ in \w+, .*payonce migrate --restored/,
      );
    }
  });

  it("are served: a start raises the sequences, old keys are replayed and new ones paid", async () => {
    const service = await cluster.addService({ DATABASE_URL: moved.url });
    const again = await pay(service.grpcAddress, "before");
    expect(again.filter((answer) => !isReplayed(answer))).toEqual([]);
    const later = await pay(service.grpcAddress, "after");
    expect(later.filter(({ response }) => response === undefined)).toEqual([]);
    await service.stop();
    await expectAudit({ database: moved, sandbox: cluster.sandbox });
    const [tokens] = await onDatabase(moved.url, async (client) => {
      const { rows } = await client.query<{ apart: boolean }>(
        `SELECT max(fencing_token) FILTER (WHERE idempotency_key LIKE 'before%') + 1000000 <
           min(fencing_token) FILTER (WHERE idempotency_key LIKE 'after%') AS apart
         FROM idempotency_records`,
      );
      return rows;
    });
    expect(tokens).toEqual({ apart: true });
  });

  it("are raised by hand too, and a number that was given out is never given again", async () => {
    const next = () =>
      onDatabase(moved.url, async (client) => {
        const { rows } = await client.query<{ next: string }>(
          "SELECT nextval('payment_events_id_seq') AS next",
        );
        return BigInt(rows[0]?.next ?? 0);
      });
    const before = await next();
    expect(await payonce(["migrate", "--restored"], { DATABASE_URL: moved.url })).toMatchObject({
      code: 0,
    });
    expect(await next()).toBe(before + 1n);
    await onDatabase(moved.url, (client) =>
      client.query("SELECT setval('payment_events_id_seq', 1)"),
    );
    await payonce(["migrate", "--restored"], { DATABASE_URL: moved.url });
    const { rows } = await onDatabase(moved.url, (client) =>
      client.query<{ highest: string }>("SELECT max(id) AS highest FROM payment_events"),
    );
    expect(await next()).toBeGreaterThan(BigInt(rows[0]?.highest ?? 0));
  });
});
