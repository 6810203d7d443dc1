import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { INTENTS_TABLE_SQL } from "../../../clients/typescript/src/postgres-intents.js";
import { createDatabase, type TestDatabase } from "../../support/servers/postgres.js";
import { type Cluster, startCluster } from "../../support/service/cluster.js";
import {
  openProcessor,
  type Processor,
  processorKeyOfCall,
} from "../../support/service/processor.js";
import { waitUntil } from "../../support/service/service-process.js";
import type { CallerOptions, Moment } from "./caller.js";
import { startCaller } from "./caller-process.js";

/** How long a call may take to reach the processor, on a busy machine. */
const ARRIVAL_LIMIT_MS = 10_000;

let cluster: Cluster;
let processor: Processor;
let folder: string;
let database: TestDatabase;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "payonce-test-killed-caller-"));
  database = await createDatabase();
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  await client.query(INTENTS_TABLE_SQL);
  await client.end();
  cluster = await startCluster({ services: 1, redisNodes: 0 });
  processor = openProcessor(cluster.sandbox.address);
});

afterAll(async () => {
  processor?.close();
  await cluster?.stop();
  await database?.drop();
  await rm(folder, { recursive: true });
});

const stores: readonly { readonly kind: string; readonly store: () => CallerOptions["store"] }[] = [
  { kind: "files", store: () => ({ folder: join(folder, "intents") }) },
  { kind: "Postgres", store: () => ({ databaseUrl: database.url }) },
];

describe.each(stores)("a caller with intents in $kind", ({ store }) => {
  const caller = (name: string, stopAt: Moment, paymentMethod = "tok_visa") =>
    startCaller({
      target: cluster.targets()[0] ?? "",
      store: store(),
      name,
      paymentMethod,
      stopAt,
    });

  const effectsUnder = (key: string) =>
    processor.effectsUnder(processorKeyOfCall("CreatePayment", key));

  it.each<[string, Moment]>([
    ["before its call is sent", "saved"],
    ["while its call is under way", "sent"],
    ["before it has used its answer", "answered"],
  ])("charges once when it is killed %s and resumes", async (_when, moment) => {
    const name = `order-${randomUUID()}/charge`;
    // Slow enough to be killed in the middle.
    const killed = await caller(name, moment, moment === "sent" ? "tok_slow" : "tok_visa");
    const { key } = killed.report;
    const processorKey = processorKeyOfCall("CreatePayment", key);
    if (moment === "sent") {
      await waitUntil(async () => (await processor.callsOf(processorKey)) > 0n, ARRIVAL_LIMIT_MS);
    }
    await killed.kill();
    expect(killed.report.unfinished).toContain(name);
    expect(await effectsUnder(key)).toHaveLength(moment === "answered" ? 1 : 0);

    // Its own wish does not count: the request that was saved does.
    const resumed = await caller(name, "settled", "tok_declined");
    await resumed.kill();
    expect(resumed.report.key).toBe(key);
    expect(resumed.report.unfinished).not.toContain(name);
    const effects = await effectsUnder(key);
    expect(effects.map(({ paymentId }) => paymentId)).toEqual([resumed.report.paymentId]);
  });

  it("has one key and one charge in two processes that begin the same intent", async () => {
    const name = `order-${randomUUID()}/charge`;
    const [first, second] = await Promise.all([caller(name, "settled"), caller(name, "settled")]);
    await Promise.all([first.kill(), second.kill()]);
    expect(second.report.key).toBe(first.report.key);
    expect(second.report.paymentId).toBe(first.report.paymentId);
    expect(await effectsUnder(first.report.key)).toHaveLength(1);
  });
});
