import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, expect, it } from "vitest";
import { FaultAction } from "../../../src/gen/payonce/sandbox/v1/sandbox_pb.js";
import { Code } from "../../../src/idempotency/answers/code.js";
import { callEach } from "../../support/calls/call-each.js";
import {
  type NextCall,
  nextCalls,
  notHeld,
  type PaymentLeft,
  type Resolution,
  type Row,
  resolutions,
} from "../../support/operators/resolution-table.js";
import {
  openPayments,
  type PaymentsClient,
  refusalOf,
  untilAnswered,
} from "../../support/payments/payments-client.js";
import { ALL_CALLS, processorKeyOfCall } from "../../support/service/processor.js";
import { waitUntil } from "../../support/service/service-process.js";
import { type HeldCall, heldCall, sendOf } from "./held-calls.js";
import { expectTold, found, type Resolving, startResolving } from "./resolving.js";

const METHOD = "CreatePayment";

/** The processor keeps an owner executing while its key is resolved and called again. */
const EXECUTING_MS = 6_000;

/** The reaper comes every ten seconds. */
const PREPARATION_LIMIT_MS = 120_000;
const STEP_LIMIT_MS = 40_000;

interface Scenario {
  readonly row: Row<PaymentLeft | undefined>;
  readonly resolution: Resolution;
  readonly next: NextCall;
  readonly record: string;
  readonly key: string;
}

const scenarios: readonly Scenario[] = notHeld.flatMap((row) =>
  resolutions.flatMap((resolution) =>
    nextCalls.map((next) => {
      const { record } = row;
      const key = `${record} ${resolution} ${next}`.replaceAll(" ", "-");
      return { row, resolution, next, record, key };
    }),
  ),
);
const ofRecord = (record: string) => scenarios.filter((scenario) => scenario.record === record);

let resolving: Resolving;
/** Of a service whose processor remembers for long: what was released a while ago may be sent. */
let client: PaymentsClient;

beforeAll(async () => {
  // Longer calls than the other one executes; short of it, a window that is soon over.
  resolving = await startResolving({
    PROCESSOR_TIMEOUT_MS: "10s",
    PROCESSOR_KEY_WINDOW_MS: "13s",
  });
  const { processor } = resolving;
  const delays = ofRecord("executing").map(({ key }) => ({
    action: FaultAction.DELAY_BEFORE,
    processorKey: processorKeyOfCall(METHOD, key),
    delay: durationFromMs(EXECUTING_MS),
  }));
  const drops = ofRecord("released").map(({ key }) => ({
    action: FaultAction.DROP_BEFORE,
    processorKey: processorKeyOfCall(METHOD, key),
    count: ALL_CALLS,
  }));
  await processor.arm(...delays, ...drops);
  await Promise.all([
    callEach(ofRecord("completed"), (scenario) =>
      untilAnswered(callOf(scenario, resolving.client).send),
    ),
    callEach(ofRecord("released"), release),
    expire(ofRecord("expired")),
  ]);
  await processor.arm(...delays);
  // Not before: its recovery would send what is to be held.
  const { grpcAddress } = await resolving.addService({ PROCESSOR_KEY_WINDOW_MS: "24h" });
  client = openPayments(grpcAddress);
}, PREPARATION_LIMIT_MS);

afterAll(async () => {
  client?.close();
  await resolving?.stop();
});

function callOf({ key }: Scenario, by = client): HeldCall {
  return heldCall(by, "create", { key, paymentId: "", otherPaymentId: "" });
}

async function release(scenario: Scenario): Promise<void> {
  const { key, send } = callOf(scenario, resolving.client);
  await send();
  const fencingToken = await resolving.untilHeld(METHOD, key);
  await resolving.resolve(METHOD, key, fencingToken, found.not_executed);
}

/** Has the calls answered by a service that keeps answers for a moment, and waits for the reaper. */
async function expire(expiring: readonly Scenario[]): Promise<void> {
  const service = await resolving.addService({ IDEMPOTENCY_RETENTION_MS: "100" });
  const forgetful = openPayments(service.grpcAddress);
  await callEach(expiring, (scenario) => callOf(scenario, forgetful).send());
  await callEach(expiring, ({ key }) =>
    waitUntil(
      async () => (await resolving.recordOf(METHOD, key))?.state === "expired",
      STEP_LIMIT_MS,
    ),
  );
  forgetful.close();
}

/** Lets an owner execute the call. Resolves once the processor has it. */
async function execute({ key, send }: HeldCall) {
  const processorKey = processorKeyOfCall(METHOD, key);
  const result = send();
  await waitUntil(
    async () => (await resolving.processor.callsOf(processorKey)) > 0n,
    STEP_LIMIT_MS,
  );
  return { result };
}

it.concurrent.each(scenarios)(
  "$record, $resolution, then $next: the resolution is refused and changes nothing",
  async (scenario) => {
    const { row, resolution, next, record, key } = scenario;
    const call = callOf(scenario);
    const { paymentId } = call;
    const owner = record === "executing" ? await execute(call) : undefined;
    const before = await resolving.recordOf(METHOD, key);
    const { resolve } = resolving;
    const resolved = await resolve(METHOD, key, before?.fencingToken ?? 1n, found[resolution]);
    expect(refusalOf(resolved).reason).toBe(row.resolved.says);
    expect(await resolving.recordOf(METHOD, key)).toEqual(before);
    expect(before?.state).toBe(row.resolved.state);
    await resolving.expectLeft(paymentId, row.resolved.left);

    const { told, left } = row.next[next];
    const send = sendOf(call, next);
    if (send !== undefined && told !== undefined) {
      expectTold(await send(), told);
    }
    if (owner !== undefined) {
      expect((await owner.result).code).toBe(Code.OK);
    }
    await resolving.expectLeft(paymentId, left);
    const after = (await resolving.recordOf(METHOD, key))?.state;
    const isExecuted = told?.says === "OK" && next !== "another operation";
    const isAnswered = isExecuted || owner !== undefined;
    expect(after).toBe(isAnswered ? "completed" : row.resolved.state);
  },
);

it("no invariant is violated", () => resolving.expectNothingViolated());
