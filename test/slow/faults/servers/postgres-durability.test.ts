import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FaultAction } from "../../../../src/gen/payonce/sandbox/v1/sandbox_pb.js";
import { Code } from "../../../../src/idempotency/answers/code.js";
import {
  type FaultCluster,
  startFaultCluster,
  tell,
} from "../../../support/faults/fault-cluster.js";
import { startOwnPostgres } from "../../../support/faults/own-postgres.js";
import { expectAudit } from "../../../support/operators/audit.js";
import {
  answerOf,
  isReplayed,
  type PaymentsClient,
  paymentOf,
  refusalOf,
  untilAnswered,
} from "../../../support/payments/payments-client.js";
import { onDatabase } from "../../../support/servers/on-database.js";
import { type ServiceProcess, waitUntil } from "../../../support/service/service-process.js";
import { copyData, type ServerOnCopy, startOnCopy } from "./data-directory.js";

/** Far above the second within which a service looks at the settings, on a busy machine. */
const NOTICE_LIMIT_MS = 20_000;

/** Longer than that takes, mostly: the call is under way when the setting is found. */
const PROCESSOR_DELAY_MS = 8_000;

let cluster: FaultCluster;
let postgres: ServerOnCopy;
let service: ServiceProcess;
let client: PaymentsClient;

beforeAll(async () => {
  const [started, own] = await Promise.all([
    startFaultCluster({ services: 0 }),
    startOwnPostgres(),
  ]);
  cluster = started;
  const data = await copyData(own);
  await own.close();
  // What a server is told at its start, no reload can change.
  const settings = data.settings.filter((setting) => !/^(fsync|synchronous_commit)=/.test(setting));
  postgres = await startOnCopy(data, { settings });
  service = await cluster.addService({ DATABASE_URL: postgres.url });
  client = cluster.connect(service);
});

afterAll(async () => {
  await cluster?.stop();
  await postgres?.close();
});

async function setFsync(value: "on" | "off"): Promise<void> {
  await onDatabase(postgres.url, async (superuser) => {
    await superuser.query(`ALTER SYSTEM SET fsync = ${value}`);
    await superuser.query("SELECT pg_reload_conf()");
  });
}

const countLines = (text: string) => service.output().split(text).length - 1;

/** Turns it off, or on again, and waits until the service has found out. */
async function turn(value: "on" | "off"): Promise<void> {
  const line = value === "off" ? '"msg":"fsync is off' : "keeps what it confirms again";
  const before = countLines(line);
  await setFsync(value);
  await waitUntil(() => countLines(line) > before, NOTICE_LIMIT_MS);
}

async function recordOf(key: string) {
  return onDatabase(postgres.url, async (superuser) => {
    const { rows } = await superuser.query<{ state: string }>(
      "SELECT state FROM idempotency_records WHERE idempotency_key = $1",
      [key],
    );
    return rows[0];
  });
}

const pay = (key: string) => client.createPayment(paymentOf("tok_visa"), key);

describe("a database whose fsync is turned off while services run", () => {
  it("is asked for nothing: calls are refused and claim nothing, and are served once it is on", async () => {
    const before = await pay("before");
    const effects = await cluster.processor.countEffects();
    await turn("off");
    const refused = await pay("refused");
    expect(refusalOf(refused)).toMatchObject({
      code: Code.UNAVAILABLE,
      reason: "STORE_UNAVAILABLE",
      next: "retry_same_key",
    });
    expect(await recordOf("refused")).toBeUndefined();
    // What was confirmed while it was on is answered by its copy.
    expect(answerOf(await pay("before"))).toEqual(answerOf(before));
    expect(await cluster.processor.countEffects()).toBe(effects);

    await turn("on");
    const { answer } = await untilAnswered(() => pay("refused"));
    expect(isReplayed(answer)).toBe(false);
    expect(await cluster.processor.countEffects()).toBe(effects + 1);
    tell("fsync off: call refused as STORE_UNAVAILABLE, effects 0; on again: effects 1");
  });

  it("confirms no call that was under way: it is told as unknown, and answered once it is on", async () => {
    const effects = await cluster.processor.countEffects();
    await cluster.processor.arm({
      action: FaultAction.DELAY_AFTER,
      delay: durationFromMs(PROCESSOR_DELAY_MS),
      count: 1,
    });
    const underWay = pay("under-way");
    await waitUntil(async () => (await recordOf("under-way"))?.state === "executing", 10_000);
    await turn("off");
    expect(refusalOf(await underWay)).toMatchObject({
      code: Code.UNAVAILABLE,
      next: "retry_same_key",
    });
    expect((await recordOf("under-way"))?.state).toBe("executing");

    await turn("on");
    const { answer } = await untilAnswered(() => pay("under-way"));
    expect(answer.code).toBe(Code.OK);
    expect(await cluster.processor.countEffects()).toBe(effects + 1);
    await expectAudit(
      { database: { url: postgres.url }, sandbox: cluster.sandbox },
      { calls: cluster.log.calls },
    );
  });

  it("is named in the log once for each time, not with every call", () => {
    expect(countLines('"msg":"fsync is off')).toBe(2);
    expect(countLines("recovery cannot reach")).toBe(0);
  });
});
