import { setTimeout as sleep } from "node:timers/promises";
import { status } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FaultAction } from "../../../../src/gen/payonce/sandbox/v1/sandbox_pb.js";
import { Code } from "../../../../src/idempotency/answers/code.js";
import { EVENTS_PATH, openEventStream } from "../../../support/calls/event-stream.js";
import {
  connectSilently,
  HTTP2_PREFACE,
  isRefused,
  startStoppedClient,
} from "../../../support/calls/silent-peers.js";
import {
  type FaultCluster,
  seconds,
  startFaultCluster,
  tell,
} from "../../../support/faults/fault-cluster.js";
import { paymentOf, refusalOf } from "../../../support/payments/payments-client.js";
import { post } from "../../../support/service/http.js";
import { ALL_CALLS, processorKeyOfCall } from "../../../support/service/processor.js";
import { waitUntil } from "../../../support/service/service-process.js";

const SHUTDOWN_TIMEOUT_MS = 5_000;

/** Until a busy machine has noticed that the time is over. */
const MARGIN_MS = 3_000;

const STEP_LIMIT_MS = 40_000;

/** How often somebody tries to get a payment in while the service stops. */
const LATE_INTERVAL_MS = 50;

const keysOf = (name: string, count: number) =>
  Array.from({ length: count }, (_, index) => `${name}-${index}`);

const UNANSWERED = keysOf("unanswered", 150);
/** Each attempt fails, so recovery takes them over again and again. */
const FAILING = keysOf("failing", 40);

const STREAMS = 10;
const SILENT_PEERS = 20;

const JSON_PAYMENT = `{"amount": {"currencyCode": "EUR", "minorUnits": "1999"}, "paymentMethod": "tok_visa"}`;

let cluster: FaultCluster;

beforeAll(async () => {
  cluster = await startFaultCluster({
    services: 1,
    env: {
      SHUTDOWN_TIMEOUT_MS: String(SHUTDOWN_TIMEOUT_MS),
      PROCESSOR_TIMEOUT_MS: "50s", // longer than the whole stop
    },
  });
});

afterAll(() => cluster?.stop());

describe("SIGTERM to a service with 150 unanswered payments, busy recovery, streams and silent peers", () => {
  it("ends it in time, takes nothing new meanwhile, and the next one charges each once", async () => {
    const [service] = cluster.services;
    const { grpcAddress = "", httpAddress = "" } = service ?? {};
    await cluster.processor.arm(
      ...FAILING.map((key) => ({
        action: FaultAction.ERROR_BEFORE,
        processorKey: processorKeyOfCall("CreatePayment", key),
        count: ALL_CALLS,
      })),
      { action: FaultAction.NEVER, count: ALL_CALLS },
    );
    const client = cluster.connect(service);
    const send = (key: string) => client.createPayment(paymentOf("tok_visa"), key);
    await Promise.all(FAILING.map(send));
    const unanswered = UNANSWERED.map(send);
    const streams = Array.from({ length: STREAMS }, () => openEventStream(grpcAddress));
    const peers = [
      await startStoppedClient(grpcAddress, EVENTS_PATH),
      ...(await Promise.all(
        Array.from({ length: SILENT_PEERS }, () => [
          connectSilently(grpcAddress),
          connectSilently(grpcAddress, HTTP2_PREFACE),
          connectSilently(httpAddress),
        ]).flat(),
      )),
    ];
    await waitUntil(async () => {
      const calls = UNANSWERED.map((key) =>
        cluster.processor.callsOf(processorKeyOfCall("CreatePayment", key)),
      );
      return (await Promise.all(calls)).every((count) => count > 0n);
    }, STEP_LIMIT_MS);
    await waitUntil(async () => (await cluster.countTakeovers()).recovery > 0, STEP_LIMIT_MS);

    const startedAtMs = performance.now();
    service?.kill("SIGTERM");
    for (const address of [grpcAddress, httpAddress]) {
      await waitUntil(() => isRefused(address), SHUTDOWN_TIMEOUT_MS);
    }
    const stoppingSince = await timeWithoutTakeover();
    let hasEnded = false;
    const knocking = knock(() => hasEnded);
    const exitCode = await service?.exited;
    const durationMs = performance.now() - startedAtMs;
    hasEnded = true;
    const knocks = await knocking;
    const takenOver = await countTakeoversSince(stoppingSince);
    tell(
      `stopped in ${seconds(durationMs)} with ${UNANSWERED.length} unanswered payments, ${STREAMS} streams, ${peers.length} silent peers; exit code ${exitCode}; ${knocks} late payments were tried, ${takenOver} taken over`,
    );
    expect(exitCode).toBe(3);
    expect(durationMs).toBeLessThan(SHUTDOWN_TIMEOUT_MS + MARGIN_MS);
    expect(takenOver).toBe(0);
    for (const { error } of streams) {
      expect((await error).code).toBe(status.UNAVAILABLE);
    }
    for (const answer of await Promise.all(unanswered)) {
      expect(refusalOf(answer)).toMatchObject({
        code: Code.UNAVAILABLE,
        reason: "OUTCOME_UNKNOWN",
        next: "retry_same_key",
      });
    }
    const { rowCount } = await cluster.pool.query(
      "SELECT FROM idempotency_records WHERE idempotency_key LIKE 'late-%'",
    );
    expect(rowCount).toBe(0);
    for (const peer of peers) {
      peer.end();
    }

    await cluster.processor.arm();
    await cluster.addService();
    tell(`recovered after ${seconds(await cluster.recovered())}`);
    expect(await cluster.processor.countEffects()).toBe(UNANSWERED.length + FAILING.length);

    /** A takeover that was asked for before the signal ends nevertheless. */
    async function timeWithoutTakeover(): Promise<string> {
      let time = "";
      await waitUntil(async () => {
        const { rows } = await cluster.pool.query<{ now: string; busy: boolean }>(
          `SELECT clock_timestamp()::text AS now, EXISTS (
             SELECT FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid()
               AND state <> 'idle' AND query LIKE '%taken_over%') AS busy`,
        );
        time = rows[0]?.now ?? "";
        return rows[0]?.busy === false;
      }, SHUTDOWN_TIMEOUT_MS);
      return time;
    }

    async function countTakeoversSince(time: string): Promise<number> {
      const { rowCount } = await cluster.pool.query(
        "SELECT FROM idempotency_events WHERE type = 'taken_over' AND event_time > $1::timestamptz",
        [time],
      );
      return rowCount ?? 0;
    }

    /** Tries to get payments in, over both ports and all connections that are open. */
    async function knock(isOver: () => boolean): Promise<number> {
      let count = 0;
      for (; !isOver(); count += 1) {
        const call = { address: httpAddress, method: "CreatePayment", body: JSON_PAYMENT };
        await Promise.allSettled([
          post({ ...call, key: `late-http-${count}` }),
          send(`late-grpc-${count}`),
        ]);
        await sleep(LATE_INTERVAL_MS);
      }
      return count;
    }
  });

  it("violates no invariant", () => cluster.expectNothingViolated());
});
