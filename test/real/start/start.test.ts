import { fromJsonString } from "@bufbuild/protobuf";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import {
  CreatePaymentRequestSchema,
  type Payment,
  PaymentService,
  PaymentStatus,
} from "../../../src/gen/payonce/payments/v1/payments_pb.js";
import { callUnary } from "../../../src/grpc/client.js";
import { Code } from "../../../src/idempotency/answers/code.js";
import { REPLAYED_ENTRY } from "../../../src/idempotency/answers/reply.js";
import { KEY_METADATA } from "../../../src/idempotency/request/key.js";
import { waitUntil } from "../../support/service/service-process.js";
import { type Checkout, createCheckout, createPathWithoutRedis } from "./checkout.js";
import { npmStart, START_LIMIT_MS, type StartedService } from "./npm-start.js";

/** Each test starts the service at most twice. */
const TEST_LIMIT_MS = 2 * START_LIMIT_MS;

const SHUTDOWN_TIMEOUT_MS = 5_000;
/** Until a busy machine has noticed that the time is over. */
const MARGIN_MS = 2_000;
const STEP_LIMIT_MS = 20_000;

describe("npm start in a fresh checkout", { timeout: TEST_LIMIT_MS }, () => {
  let checkout: Checkout;
  beforeAll(async () => {
    checkout = await createCheckout();
  });
  afterAll(() => checkout.remove(), TEST_LIMIT_MS);

  async function start(env?: Readonly<Record<string, string>>): Promise<StartedService> {
    const started = await npmStart(checkout.path, env);
    onTestFinished(() => started.kill());
    return started;
  }

  it("installs and builds what is missing, runs on servers of its own, and ends them all at Ctrl-C", async () => {
    const started = await start();
    expect(started.output()).toMatch(/^added \d+ packages/m);
    expect(started.output()).not.toMatch(/EBADENGINE|npm warn|deprecated/i);
    expect(started.output()).toMatch(/^ +Gate +Redlock over 3 Redis nodes of its own$/m);
    expect(started.output()).toMatch(/^ +Records +a Postgres of its own in \.payonce\/postgres$/m);
    const commands = started.running().map(({ command }) => command);
    expect(commands.filter((command) => /(redis|valkey)-server/.test(command))).toHaveLength(3);
    expect(commands.filter((command) => / -D .*\.payonce\/postgres/.test(command))).toHaveLength(1);
    expect(commands.filter((command) => command.includes("sandbox-entry"))).toHaveLength(1);

    await started.interrupt();
    expect(started.running()).toEqual([]);
  });

  it("ends them all in time at Ctrl-C also where its sandbox is frozen, with a payment unanswered", async () => {
    const started = await start({
      PROCESSOR_TIMEOUT_MS: "50s",
      SHUTDOWN_TIMEOUT_MS: String(SHUTDOWN_TIMEOUT_MS),
    });
    const sandbox = started.running().find(({ command }) => command.includes("sandbox-entry"));
    process.kill(sandbox?.pid ?? 0, "SIGSTOP");
    const unanswered = callAsPrinted(started);
    const { address, key } = printedCall(started);
    await waitUntil(async () => (await paymentOfKey(address, key)) !== undefined, STEP_LIMIT_MS);
    const startedAtMs = performance.now();
    await started.interrupt();
    expect(performance.now() - startedAtMs).toBeLessThan(SHUTDOWN_TIMEOUT_MS + MARGIN_MS);
    expect(started.output()).toContain("left behind: 1 calls");
    expect(started.running()).toEqual([]);
    expect((await unanswered).code).toBe(Code.UNAVAILABLE);
  });

  it("keeps a payment, and its answer to the byte, through kill -9 of every process", async () => {
    const first = await start();
    const answer = await callAsPrinted(first);
    expect(answer).toMatchObject({
      code: Code.OK,
      response: { payment: { status: PaymentStatus.CAPTURED } },
    });
    await first.kill();
    expect(first.running()).toEqual([]);

    const second = await start();
    expect(second.output()).not.toContain("added");
    const { address, key } = printedCall(second);
    expect(await paymentOfKey(address, key)).toEqual(answer.response?.payment);
    const replay = await callAsPrinted(second);
    expect(replay.headers).toContainEqual(REPLAYED_ENTRY);
    expect(replay).toMatchObject({ code: answer.code, body: answer.body });
  });

  it("says that the gate is inside the process where the PATH leads to no Redis server", async () => {
    const started = await start({ PATH: await createPathWithoutRedis(checkout.path) });
    expect(started.output()).toMatch(
      /^ +Gate +a gate inside the process \(no redis-server or valkey-server on the PATH\)$/m,
    );
    expect((await callAsPrinted(started)).code).toBe(Code.OK);
  });
});

/** The call that the start prints, to be pasted into a terminal. */
function printedCall(started: StartedService) {
  const line = /^ +grpcurl -plaintext -v -H 'idempotency-key: (\S+)' -d '(.+)' (\S+) (\S+)$/m.exec(
    started.output(),
  );
  const [, key = "", json = "", address = "", method = ""] = line ?? [];
  return { key, json, address, method };
}

async function callAsPrinted(started: StartedService) {
  const { key, json, address, method } = printedCall(started);
  expect(method).toBe(`${PaymentService.typeName}/CreatePayment`);
  const metadata = new Metadata();
  metadata.set(KEY_METADATA, key);
  return withClient(address, (client) =>
    callUnary(client, {
      method: PaymentService.method.createPayment,
      request: fromJsonString(CreatePaymentRequestSchema, json),
      metadata,
    }),
  );
}

/** Undefined where there is none. */
async function paymentOfKey(address: string, key: string): Promise<Payment | undefined> {
  const { response } = await withClient(address, (client) =>
    callUnary(client, {
      method: PaymentService.method.getPayment,
      request: { lookup: { case: "idempotencyKey", value: key } },
    }),
  );
  return response?.payment;
}

async function withClient<Result>(
  address: string,
  use: (client: Client) => Promise<Result>,
): Promise<Result> {
  const client = new Client(address, credentials.createInsecure());
  try {
    return await use(client);
  } finally {
    client.close();
  }
}
