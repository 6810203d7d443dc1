import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client, credentials } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readJournal } from "../../../src/audit/read-journal.js";
import { SandboxProcessorService } from "../../../src/gen/payonce/sandbox/v1/sandbox_pb.js";
import { callUnary } from "../../../src/grpc/client.js";
import { effectToLine } from "../../../src/sandbox/journal-lines.js";
import { type ClientLog, createClientLog } from "../../invariants/client-log.js";
import { auditServers, expectAudit, violationsIn } from "../../support/audit.js";
import { type Cluster, startCluster } from "../../support/cluster.js";
import { openPayments, type PaymentsClient } from "../../support/payments-client.js";
import { payonce } from "../service/command-line.js";
import { busyDay } from "./busy-day.js";
import { copyDatabase, damages } from "./damages.js";

let cluster: Cluster;
let clients: readonly PaymentsClient[];
let log: ClientLog;

beforeAll(async () => {
  cluster = await startCluster({ services: 2 });
  clients = cluster.targets().map((target) => openPayments(target));
  log = createClientLog();
  await busyDay({
    clients: clients.map((client) => log.on(client)),
    customers: 16,
    prefix: "storm",
    paymentMethods: ["tok_visa", "tok_declined", "tok_drop_reply", "tok_error_after_charge"],
  });
});

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
    expect(report.results).toHaveLength(15);
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

  it.each(damages)("violates %s where %s", async (id, _what, statement) => {
    const copy = await copyDatabase(cluster.database.url);
    try {
      const servers = { database: copy, sandbox: cluster.sandbox };
      await expectAudit(servers, { calls: log.calls });
      expect(await copy.damage(statement)).toBeGreaterThan(0);
      const report = await auditServers(servers, { calls: log.calls });
      expect(violationsIn(report)).toContainEqual(expect.stringMatching(`^${id}: `));
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
