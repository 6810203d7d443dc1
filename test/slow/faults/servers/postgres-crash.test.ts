import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { holdAt, installBreakpoints, type Point } from "../../../support/faults/breakpoints.js";
import {
  type FaultCluster,
  seconds,
  startFaultCluster,
  tell,
} from "../../../support/faults/fault-cluster.js";
import { type OwnPostgres, startOwnPostgres } from "../../../support/faults/own-postgres.js";
import { expectAudit } from "../../../support/operators/audit.js";
import {
  answerOf,
  isReplayed,
  type PaymentsClient,
  paymentOf,
  untilAnswered,
} from "../../../support/payments/payments-client.js";
import { processorKeyOfCall } from "../../../support/service/processor.js";
import { expectOnceDuring } from "./under-load.js";

let cluster: FaultCluster;
let postgres: OwnPostgres;
let one: PaymentsClient;
let other: PaymentsClient;

beforeAll(async () => {
  [cluster, postgres] = await Promise.all([startFaultCluster({ services: 0 }), startOwnPostgres()]);
  const env = { DATABASE_URL: postgres.url };
  one = cluster.connect(await cluster.addService(env));
  other = cluster.connect(await cluster.addService(env));
  const pool = new pg.Pool({ connectionString: postgres.directUrl() });
  await installBreakpoints(pool);
  await pool.end();
});

afterAll(async () => {
  await cluster?.stop();
  await postgres?.close();
});

/** Stops Postgres as a power cut would, and starts it again. */
async function crash(): Promise<void> {
  await postgres.stopImmediately();
  await postgres.start();
}

describe("an immediate stop of Postgres", () => {
  const points: readonly Point[] = [
    "claim, at its commit",
    "begin, before its first write",
    "begin, between two writes",
    "begin, at its commit",
    "finish, before its first write",
    "finish, before the ledger",
    "finish, before the answer",
    "finish, at its commit",
  ];

  it.each(points)("in %s: one charge, and one answer for all", async (point) => {
    const key = `crashed ${point}`.replaceAll(/[ ,]+/g, "-");
    const hold = await holdAt(postgres.directUrl(), point);
    const send = (client: PaymentsClient) => () => client.createPayment(paymentOf("tok_visa"), key);
    const first = untilAnswered(send(one));
    await hold.reached();
    const startedAtMs = performance.now();
    await crash();
    const answered = await Promise.all([first, untilAnswered(send(other))]);
    const tookMs = performance.now() - startedAtMs;

    const [answer, duplicate] = answered.map((result) => answerOf(result.answer));
    expect(answer).toEqual(duplicate);
    expect(answered.filter((result) => !isReplayed(result.answer)).length).toBeLessThanOrEqual(1);
    const calls = await cluster.processor.callsOf(processorKeyOfCall("CreatePayment", key));
    tell(
      `immediate stop of Postgres in "${point}": answered ${seconds(tookMs)} after, processor calls ${calls}, effects 1`,
    );
    await cluster.expectOneCharge(key);
  });

  it("under load, twice: one charge for each key", async () => {
    await expectOnceDuring(cluster, {
      what: "two immediate stops of Postgres under load",
      begin: crash,
      lastsMs: 700,
      end: crash,
    });
  });

  it("violates no invariant", async () => {
    await expectAudit(
      { database: { url: postgres.directUrl() }, sandbox: cluster.sandbox },
      { calls: cluster.log.calls },
    );
  });
});
