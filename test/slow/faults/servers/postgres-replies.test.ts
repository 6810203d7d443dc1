import type { DescMessage } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FaultAction } from "../../../../src/gen/payonce/sandbox/v1/sandbox_pb.js";
import { startTcpProxy, type TcpProxy } from "../../../support/calls/tcp-proxy.js";
import {
  type FaultCluster,
  startFaultCluster,
  tell,
} from "../../../support/faults/fault-cluster.js";
import { portOf, withPort } from "../../../support/faults/own-postgres.js";
import {
  answerOf,
  isReplayed,
  type PaymentsClient,
  paymentOf,
  untilAnswered,
} from "../../../support/payments/payments-client.js";
import { processorKeyOfCall } from "../../../support/service/processor.js";
import { waitUntil } from "../../../support/service/service-process.js";

// What the driver sends: the name of a prepared statement.
// https://www.postgresql.org/docs/current/protocol-message-formats.html
const CLAIM = Buffer.from("payments_claim_and_begin\0");
const GO_ON = Buffer.from("payments_go_on\0");
const FINISH = Buffer.from("payments_finish\0");

let cluster: FaultCluster;
let proxy: TcpProxy;
let troubled: PaymentsClient;
let other: PaymentsClient;

beforeAll(async () => {
  cluster = await startFaultCluster({ services: 0 });
  const { url } = cluster.database;
  proxy = await startTcpProxy(portOf(url));
  const service = await cluster.addService({ DATABASE_URL: withPort(url, proxy.port) });
  troubled = cluster.connect(service);
  // Recovers nothing, so that all attempts are made through the proxy.
  other = cluster.connect(await cluster.addService({ RECOVERY_INTERVAL_MS: "1h" }));
});

afterAll(async () => {
  await cluster?.stop();
  await proxy?.close();
});

/** Time to make the network fail while the processor keeps a call waiting. */
const PROCESSOR_DELAY_MS = 700;
const ARRIVAL_LIMIT_MS = 20_000;

/**
 * What one service sends for one payment: the claim, with which it begins, and its
 * finish. Where the first reply was lost, the handler finds what has begun, and goes on.
 */
const losses = [
  { what: "the claim, which begins the payment", losing: [CLAIM] },
  { what: "the claim, and its repetition", losing: [CLAIM, CLAIM] },
  { what: "the claim and the statement that goes on", losing: [CLAIM, GO_ON] },
  { what: "the claim, two such statements and the finish", losing: [CLAIM, GO_ON, GO_ON, FINISH] },
];

describe("Postgres carries out what it is sent, and its reply is lost", () => {
  it.each(losses)("to $what: one charge, and one answer for all", async ({ what, losing }) => {
    const key = `lost reply to ${what}`.replaceAll(/[ ,]+/g, "-");
    const send = (client: PaymentsClient) => () => client.createPayment(paymentOf("tok_visa"), key);
    const lost = loseAll(losing);
    const first = await untilAnswered(send(troubled));
    await lost;
    const duplicate = await untilAnswered(send(other));
    await expectOneAnswer({ key, what, first, duplicate });
  });

  it("to the finish, which holds the answer: a retry gets that answer", async () => {
    const what = "the finish";
    const key = "lost-reply-to-the-finish";
    const send = (client: PaymentsClient) => () => client.createPayment(paymentOf("tok_visa"), key);
    // The processor is asked before it.
    const processorKey = processorKeyOfCall("CreatePayment", key);
    const delay = durationFromMs(PROCESSOR_DELAY_MS);
    await cluster.processor.arm({ action: FaultAction.DELAY_BEFORE, processorKey, delay });
    const answered = untilAnswered(send(troubled));
    const hasArrived = async () => (await cluster.processor.callsOf(processorKey)) > 0n;
    await waitUntil(hasArrived, ARRIVAL_LIMIT_MS);
    await proxy.loseReplyTo(FINISH);
    const first = await answered;
    const duplicate = await untilAnswered(send(other));
    await expectOneAnswer({ key, what, first, duplicate });
    expect(first.earlier.length).toBeGreaterThan(0);
    expect(isReplayed(first.answer)).toBe(true);
  });

  it("violates no invariant", async () => {
    await cluster.recovered();
    await cluster.expectNothingViolated();
  });
});

/** Loses the replies to these requests, one after the other. */
async function loseAll(requests: readonly Buffer[]): Promise<void> {
  for (const request of requests) {
    await proxy.loseReplyTo(request);
  }
}

type Answered = Awaited<ReturnType<typeof untilAnswered<DescMessage>>>;

async function expectOneAnswer(call: {
  readonly key: string;
  readonly what: string;
  readonly first: Answered;
  readonly duplicate: Answered;
}): Promise<void> {
  const { key, what, first, duplicate } = call;
  expect(isReplayed(duplicate.answer)).toBe(true);
  expect(answerOf(first.answer)).toEqual(answerOf(duplicate.answer));
  const calls = await cluster.processor.callsOf(processorKeyOfCall("CreatePayment", key));
  tell(
    `reply of Postgres to ${what} lost: ${first.earlier.length} retries, processor calls ${calls}, effects 1`,
  );
  await cluster.expectOneCharge(key);
}
