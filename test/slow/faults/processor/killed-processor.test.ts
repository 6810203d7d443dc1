import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, expect, it } from "vitest";
import { FaultAction } from "../../../../src/gen/payonce/sandbox/v1/sandbox_pb.js";
import {
  type FaultCluster,
  seconds,
  startFaultCluster,
  tell,
} from "../../../support/faults/fault-cluster.js";
import {
  type RestartableSandbox,
  startRestartableSandbox,
} from "../../../support/faults/restartable-sandbox.js";
import { expectAudit } from "../../../support/operators/audit.js";
import {
  answerOf,
  type PaymentsClient,
  paymentOf,
  untilAnswered,
} from "../../../support/payments/payments-client.js";
import { wireOfRun } from "../../../support/servers/wire.js";
import {
  openProcessor,
  type Processor,
  processorKeyOfCall,
} from "../../../support/service/processor.js";
import { waitUntil } from "../../../support/service/service-process.js";

const KILLS = 5;
const DOWN_MS = 300;
const UP_MS = 700;
const CALLERS_OF_A_KEY = 3;
const KEYS_AT_ONCE = 8;
const ARRIVAL_LIMIT_MS = 20_000;

let directory: string;
let sandbox: RestartableSandbox;
let processor: Processor;
let cluster: FaultCluster;
let clients: readonly PaymentsClient[];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "payonce-test-processor-"));
  sandbox = await startRestartableSandbox(directory, wireOfRun());
  processor = openProcessor(sandbox.address);
  cluster = await startFaultCluster({
    services: 2,
    env: { ...sandbox.settings, PROCESSOR_TIMEOUT_MS: "2s" },
  });
  clients = cluster.services.map((service) => cluster.connect(service));
});

afterAll(async () => {
  processor?.close();
  await cluster?.stop();
  await sandbox?.stop();
  await rm(directory, { recursive: true, force: true });
});

async function effectsOf(paymentId: string | undefined): Promise<readonly string[]> {
  return processor.effectTypesOf(paymentId);
}

it.each([
  { when: "before it charges", action: FaultAction.DELAY_BEFORE },
  { when: "after it has charged", action: FaultAction.DELAY_AFTER },
])("killed in the middle of a call, $when: charged once", async ({ when, action }) => {
  const key = when.replaceAll(" ", "-");
  const processorKey = processorKeyOfCall("CreatePayment", key);
  await processor.arm({ action, processorKey, delay: durationFromMs(60_000) });
  const [client] = clients;
  const pay = () => client?.createPayment(paymentOf("tok_visa"), key) ?? Promise.reject();
  const answered = untilAnswered(pay);
  await waitUntil(async () => (await processor.callsOf(processorKey)) === 1n, ARRIVAL_LIMIT_MS);
  const startedAtMs = performance.now();
  await sandbox.restart(() => sleep(DOWN_MS));
  const { earlier, answer } = await answered;
  tell(
    `processor killed ${when}, back after ${DOWN_MS} ms: answered ${seconds(performance.now() - startedAtMs)} after the kill, ${earlier.length} retries, effects 1`,
  );
  expect(await effectsOf(answer.response?.payment?.id)).toEqual(["AUTHORIZE_CAPTURE"]);
});

it(`killed ${KILLS} times under load: each key is charged once and has one answer`, async () => {
  let isOver = false;
  const killing = async () => {
    for (let kill = 0; kill < KILLS; kill += 1) {
      await sleep(UP_MS);
      await sandbox.restart(() => sleep(DOWN_MS));
    }
    isOver = true;
  };
  let calls = 0;
  let retries = 0;
  let keys = 0;
  const payments: (string | undefined)[] = [];
  const load = async (lane: number) => {
    for (let number = 0; !isOver; number += 1) {
      const key = `killed-${lane}-${number}`;
      const ends = await Promise.all(
        Array.from({ length: CALLERS_OF_A_KEY }, (_, caller) =>
          untilAnswered(
            () =>
              clients[caller % clients.length]?.createPayment(paymentOf("tok_visa"), key) ??
              Promise.reject(),
          ),
        ),
      );
      const answers = new Set(ends.map(({ answer }) => JSON.stringify(answerOf(answer))));
      expect(answers.size).toBe(1);
      keys += 1;
      calls += ends.length;
      retries += ends.reduce((sum, { earlier }) => sum + earlier.length, 0);
      payments.push(ends[0]?.answer.response?.payment?.id);
    }
  };
  await Promise.all([killing(), ...Array.from({ length: KEYS_AT_ONCE }, (_, lane) => load(lane))]);
  for (const id of payments) {
    expect(await effectsOf(id)).toHaveLength(1);
  }
  tell(
    `processor killed ${KILLS} times: ${calls} calls and ${retries} retries for ${keys} keys, effects ${payments.length}, double 0`,
  );
});

it("violates no invariant", async () => {
  await cluster.recovered();
  await expectAudit({ database: cluster.database, sandbox }, { calls: cluster.log.calls });
});
