import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client, credentials } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checks } from "../../../src/audit/checks.js";
import { readJournal } from "../../../src/audit/read-journal.js";
import { SandboxProcessorService } from "../../../src/gen/payonce/sandbox/v1/sandbox_pb.js";
import { callUnary } from "../../../src/grpc/client.js";
import { effectToLine } from "../../../src/sandbox/journal-lines.js";
import { type ClientLog, createClientLog } from "../../invariants/client-log.js";
import { auditServers, expectAudit, violationsIn } from "../../support/operators/audit.js";
import { openPayments, type PaymentsClient } from "../../support/payments/payments-client.js";
import { type Cluster, startCluster } from "../../support/service/cluster.js";
import { payonce } from "../../support/service/command-line.js";
import { openProcessor } from "../../support/service/processor.js";
import { busyDay } from "./busy-day.js";
import { brokenStates, copyDatabase, damages } from "./damages.js";
import { resolvedDay } from "./resolved-day.js";

let cluster: Cluster;
let clients: readonly PaymentsClient[];
let log: ClientLog;

/** Until the processor's window has ended twice, and an operator has been asked, on a busy machine. */
const START_LIMIT_MS = 120_000;

beforeAll(async () => {
  cluster = await startCluster({ services: 0 });
  log = createClientLog();
  await endWindows();
  await Promise.all([cluster.addService(), cluster.addService()]);
  clients = cluster.services.slice(1).map(({ grpcAddress }) => openPayments(grpcAddress));
  await busyDay({
    clients: clients.map((client) => log.on(client)),
    customers: 16,
    prefix: "storm",
    paymentMethods: ["tok_visa", "tok_declined", "tok_drop_reply", "tok_error_after_charge"],
  });
}, START_LIMIT_MS);

/** Lets an operator end what a processor that forgets soon has left unknown. */
async function endWindows(): Promise<void> {
  const service = await cluster.addService({
    PROCESSOR_TIMEOUT_MS: "300",
    PROCESSOR_KEY_WINDOW_MS: "2s",
    RECOVERY_INTERVAL_MS: "100",
  });
  const client = openPayments(service.grpcAddress);
  const processor = openProcessor(cluster.sandbox.address);
  try {
    await resolvedDay({ client, writes: log.on(client), processor });
  } finally {
    processor.close();
    client.close();
    await service.stop();
  }
}

afterAll(async () => {
  for (const client of clients ?? []) {
    client.close();
  }
  await cluster?.stop();
});

describe("after a storm of payments of all kinds", () => {
  it("violates no invariant, by what the clients saw too", async () => {
    await expectAudit(cluster, { calls: log.calls });
    const { results, parked } = await auditServers(cluster, { calls: log.calls });
    expect(results.filter(({ checked = 0 }) => checked === 0)).toEqual([]);
    expect(parked).toEqual([]);
  });

  it("violates none while more payments are being made", async () => {
    let isOver = false;
    const day = busyDay({
      clients,
      customers: 24,
      prefix: "meanwhile",
      paymentMethods: ["tok_visa"],
    }).finally(() => {
      isOver = true;
    });
    let audits = 0;
    try {
      while (!isOver) {
        await expectAudit(cluster);
        audits += 1;
      }
    } finally {
      await day;
    }
    expect(audits).toBeGreaterThan(1);
  });
});

describe("payonce audit", () => {
  const of = (...more: string[]) => payonce(["audit", "--bound-ms", "0", ...more]);
  const servers = () => [
    "--database-url",
    cluster.database.url,
    "--processor",
    cluster.sandbox.address,
  ];

  it("prints what was checked of each invariant, and exits with 0", async () => {
    const { code, stdout, stderr } = await of(...servers());
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^I1 .* [1-9]\d* +0$/m);
    expect(stdout).toMatch(/^I8 .* - +-$/m);
    expect(stdout).toMatch(/^I15 .* [1-9]\d* +0$/m);
    expect(stdout).toMatch(/^keys that wait for an operator: 0$/m);
  });

  it("prints JSON", async () => {
    const { stdout } = await of("--json", ...servers());
    const report = JSON.parse(stdout);
    expect(report.results).toHaveLength(checks.length);
    expect(report.results[0]).toMatchObject({ id: "I1", violations: [] });
  });

  it("reads the journal's file, up to a line that is still being written", async () => {
    const directory = await mkdtemp(join(tmpdir(), "payonce-test-audit-"));
    try {
      const path = join(directory, "journal.jsonl");
      const lines = (await journalOf(cluster)).map((effect) => `${effectToLine(effect)}\n`);
      await writeFile(path, [...lines, '{"sequence":'].join(""));
      const database = ["--database-url", cluster.database.url];
      const whole = await of(...database, "--journal", path);
      expect(whole.code, whole.stdout + whole.stderr).toBe(0);

      await writeFile(path, lines.slice(0, -1).join(""));
      const short = await of(...database, "--journal", path);
      expect(short.code).toBe(1);
      expect(short.stdout).toMatch(/^I1 is violated\n {2}operation op_\w+ of default is approved/m);

      await writeFile(path, "nonsense\n");
      const broken = await of(...database, "--journal", path);
      expect(broken).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/^--journal: line 1 is no effect: /),
      });
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  it.each([
    [[], 2, "DATABASE_URL names the database to audit"],
    [
      ["--database-url", "postgres://127.0.0.1/none", "--max-attempts", "0"],
      2,
      "--max-attempts accepts a whole number from 1",
    ],
    [["--database-url", "postgres://127.0.0.1/none"], 2, "either --processor or --journal says"],
    [
      ["--database-url", "postgres://127.0.0.1/none", "--processor", "nowhere"],
      2,
      "--processor accepts host:port",
    ],
    [
      ["--database-url", "postgres://127.0.0.1:1/none", "--journal", "/does/not/exist"],
      1,
      "--journal: ENOENT",
    ],
  ] as const)("says what is wrong with %j", async (args, code, message) => {
    const result = await of(...args);
    expect(result.stderr).toContain(message);
    expect(result.code).toBe(code);
  });

  it("says that the database cannot be read", async () => {
    const { code, stderr } = await of(
      ...["--database-url", "postgres://127.0.0.1:1/none"],
      ...["--processor", cluster.sandbox.address],
    );
    expect(stderr).toMatch(/^DATABASE_URL: .*ECONNREFUSED/);
    expect(code).toBe(1);
  });
});

describe("a database that was damaged by hand", () => {
  beforeAll(() => Promise.all(cluster.services.map((service) => service.stop())));

  it.each([...damages, ...brokenStates])("violates %s where %s", async (id, _what, statement) => {
    const copy = await copyDatabase(cluster.database.url);
    try {
      const servers = { database: copy, sandbox: cluster.sandbox };
      await expectAudit(servers, { calls: log.calls });
      expect(await copy.damage(statement)).toBeGreaterThan(0);
      const report = await auditServers(servers, { calls: log.calls });
      expect(violationsIn(report)).toContainEqual(expect.stringMatching(`^${id}\\b`));
    } finally {
      await copy.drop();
    }
  });

  it("is judged by the processor's window and the bound of attempts that the flags of `payonce audit` name", async () => {
    const copy = await copyDatabase(cluster.database.url);
    const auditOf = (...flags: string[]) =>
      payonce([
        ...["audit", "--bound-ms", "0", "--database-url", copy.url],
        ...["--processor", cluster.sandbox.address, ...flags],
      ]);
    try {
      await copy.damage(
        `UPDATE operations SET state = 'unknown', finish_time = NULL,
           begin_time = begin_time - interval '1 hour'
         WHERE kind = 'create' AND state = 'approved'`,
      );
      await copy.damage(
        `UPDATE idempotency_records SET state = 'executing', outcome = NULL, request = '',
           attempts = 7
         WHERE idempotency_key = 'storm-0'`,
      );
      const usual = await auditOf();
      expect(usual.stdout).not.toMatch(/past the processor's window, and its key|in attempt 7/);
      const shorter = await auditOf("--processor-key-window-ms", "30m", "--max-attempts", "6");
      expect(shorter.stdout).toMatch(/past the processor's window, and its key is completed/);
      expect(shorter.stdout).toMatch(/is executing in attempt 7, of at most 6$/m);
    } finally {
      await copy.drop();
    }
  });

  it("violates I6 where the processor was asked behind its back", async () => {
    const processor = new Client(cluster.sandbox.address, credentials.createInsecure());
    const { code } = await callUnary(processor, {
      method: SandboxProcessorService.method.authorize,
      request: {
        processorKey: "pk_made_up",
        paymentId: "pay_made_up",
        amount: { currencyCode: "EUR", minorUnits: 1n },
        paymentMethod: "tok_visa",
      },
    });
    processor.close();
    expect(code).toBe(0);
    expect(violationsIn(await auditServers(cluster))).toEqual([
      expect.stringMatching(/^I6: effect \d+ on payment pay_made_up has no operation/),
    ]);
    expect(violationsIn(await auditServers(cluster, { boundMs: 60_000 }))).toEqual([]);
  });
});

async function journalOf({ sandbox }: Cluster) {
  const processor = new Client(sandbox.address, credentials.createInsecure());
  try {
    return (await readJournal(processor)).effects;
  } finally {
    processor.close();
  }
}
