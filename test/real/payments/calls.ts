import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  create,
  type DescMessage,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import pg, { type PoolClient } from "pg";
import { CaptureMethod, PaymentService } from "../../../src/gen/payonce/payments/v1/payments_pb.js";
import { Code } from "../../../src/idempotency/answers/code.js";
import type { Reply } from "../../../src/idempotency/answers/reply.js";
import type { CallContext } from "../../../src/idempotency/execution/call.js";
import { createExecutor } from "../../../src/idempotency/execution/executor.js";
import { serve } from "../../../src/idempotency/execution/serve.js";
import { okOutcome } from "../../../src/idempotency/port/outcome.js";
import { policiesOf } from "../../../src/idempotency/request/policy.js";
import { createFirstWork } from "../../../src/payments/first-work.js";
import { createKeyWindow } from "../../../src/payments/key-window.js";
import { paymentMigrations } from "../../../src/payments/postgres/migrations.js";
import type { Processor } from "../../../src/payments/processor.js";
import { createSandboxProcessor } from "../../../src/payments/processors/sandbox.js";
import { createPaymentHandlers } from "../../../src/payments/service.js";
import {
  createPostgresStore,
  idempotencyMigrations,
  migrate,
  openDatabase,
} from "../../../src/stores/postgres/index.js";
import { errorOf } from "../../support/idempotency/replies.js";
import { expectAudit } from "../../support/operators/audit.js";
import { createDatabase } from "../../support/servers/postgres.js";
import { startSandboxUnderTest } from "../../support/servers/sandbox.js";
import { eur } from "./support.js";

const TENANT = "acme";
const PROCESSOR_TIMEOUT_MS = 10_000;
const KEY_WINDOW_MS = 86_400_000;

/** How long a call is repeated before the test fails. */
const RETRY_LIMIT_MS = 30_000;
const USUAL_RETRY_DELAY_MS = 100;

/** A database and a processor's journal, and service processes without their transports. */
export async function startPaymentCalls() {
  const directory = await mkdtemp(join(tmpdir(), "payonce-test-batches-"));
  const [database, sandbox] = await Promise.all([
    createDatabase(),
    startSandboxUnderTest(directory),
  ]);
  const pool = openDatabase(database.url, () => {});
  await migrate(pool, [...idempotencyMigrations, ...paymentMigrations]);
  const processor = createSandboxProcessor({
    address: sandbox.address,
    timeoutMs: PROCESSOR_TIMEOUT_MS,
  });
  const ends: (() => Promise<void>)[] = [];

  /** One process. What is asked of it in one turn of the event loop comes to its batches together. */
  function open({ url = database.url, firstWork = createFirstWork(), wrap }: OpenOptions = {}) {
    const own = openDatabase(url, () => {});
    const close = async () => {
      if (!own.ending) {
        await own.end();
      }
    };
    ends.push(close);
    const store = createPostgresStore(own, firstWork === "none" ? {} : { firstWork });
    const executor = createExecutor({ store });
    const handlers = createPaymentHandlers({
      pool: own,
      owners: store,
      processor: wrap?.(processor) ?? processor,
      keyWindow: createKeyWindow({ windowMs: KEY_WINDOW_MS, longestCallMs: 0 }),
    });
    const policies = policiesOf(PaymentService);
    const caller =
      <Input extends DescMessage, Output extends DescMessage>(
        method: DescMethodUnary<Input, Output>,
        handler: (
          request: MessageShape<Input>,
          context: CallContext<PoolClient>,
        ) => Promise<MessageInitShape<Output>>,
      ) =>
      (key: string, init: MessageInitShape<Input>): Promise<Reply> => {
        const policy = policies.get(method.name);
        if (policy === undefined) {
          throw new Error(`${method.name} has no policy`);
        }
        const message = create(method.input, init);
        const { signal } = new AbortController();
        return serve(executor, {
          policy,
          tenant: TENANT,
          keyMetadata: [key],
          desc: method.input,
          message,
          bytes: toBinary(method.input, message),
          signal,
          async run(execution) {
            const context: CallContext<PoolClient> = {
              caller: { tenant: TENANT, role: "caller" },
              signal,
              ...(execution === undefined ? {} : { execution }),
            };
            const response = await handler(message, context);
            return okOutcome(toBinary(method.output, create(method.output, response)));
          },
        });
      };
    const { createPayment, capturePayment } = PaymentService.method;
    return {
      create: caller(createPayment, handlers.createPayment),
      capture: caller(capturePayment, handlers.capturePayment),
      close,
    };
  }

  async function count(text: string, ...values: unknown[]): Promise<number> {
    const { rows } = await pool.query<{ count: string }>(text, values);
    return Number(rows[0]?.count);
  }

  return {
    pool,
    url: database.url,
    open,
    /** What a query that counts has found. */
    count,
    /** How many transactions have written the events of one version of these payments. */
    transactionsOf: (ids: readonly string[], version: number) =>
      count(
        `SELECT count(DISTINCT xmin::text) FROM payment_events
         WHERE version = $2 AND payment_id = ANY($1)`,
        ids,
        version,
      ),
    /** The connections of the service that wait for a lock. */
    async blocked(): Promise<readonly number[]> {
      const { rows } = await pool.query<{ pid: number }>(
        `SELECT pid FROM pg_stat_activity WHERE datname = current_database()
           AND application_name = 'payonce' AND wait_event_type = 'Lock'`,
      );
      return rows.map(({ pid }) => pid);
    },
    async terminate(pids: readonly number[]): Promise<void> {
      await pool.query("SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) AS pid", [pids]);
    },
    /** A connection beside the service, for locks and transactions that do not end. */
    async connect(): Promise<pg.Client> {
      const client = new pg.Client({ connectionString: database.url });
      await client.connect();
      ends.push(() => client.end());
      return client;
    },
    expectAudit: () => expectAudit({ database, sandbox }),
    async stop() {
      await Promise.all(ends.map((end) => end()));
      processor.close();
      await pool.end();
      await Promise.all([sandbox.stop(), database.drop()]);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

export type PaymentCalls = Awaited<ReturnType<typeof startPaymentCalls>>;
export type PaymentProcess = ReturnType<PaymentCalls["open"]>;

interface OpenOptions {
  readonly url?: string;
  /** Default: payments begin with their claims. */
  readonly firstWork?: ReturnType<typeof createFirstWork> | "none";
  readonly wrap?: (processor: Processor) => Processor;
}

/** A request for a payment that is captured later. */
export const terms = (minorUnits = 1_000n) => ({
  amount: eur(minorUnits),
  paymentMethod: "tok_visa",
  captureMethod: CaptureMethod.MANUAL,
});

/** Creates payments at once, in one batch, and returns their ids. */
export async function createAll(by: PaymentProcess, keys: readonly string[]): Promise<string[]> {
  const replies = await Promise.all(keys.map((key) => by.create(key, terms())));
  return replies.map((reply) => paymentIn(reply).id);
}

/** Repeats a call, as the contract tells a client to, until its answer is final. */
export async function untilFinal(call: () => Promise<Reply>, first = call()): Promise<Reply> {
  const deadline = performance.now() + RETRY_LIMIT_MS;
  for (let sent = first; ; sent = call()) {
    const reply = await sent;
    if (!isIndeterminate(reply)) {
      return reply;
    }
    if (performance.now() > deadline) {
      throw new Error(`no answer: ${reply.message}`);
    }
    await sleep(Math.min(errorOf(reply).retryDelayMs ?? USUAL_RETRY_DELAY_MS, 1_000));
  }
}

function isIndeterminate({ code }: Reply): boolean {
  return code === Code.ABORTED || code === Code.UNAVAILABLE;
}

/** The payment in an answer to either call. */
export function paymentIn({ code, message, body }: Reply) {
  if (code !== Code.OK) {
    throw new Error(`${code} ${message}`);
  }
  // Both responses have it in the same field.
  const { payment } = fromBinary(PaymentService.method.createPayment.output, body);
  if (payment === undefined) {
    throw new Error("the answer has no payment");
  }
  return payment;
}

/** New keys for calls that belong together. */
export function newKeys(what: string, count: number): string[] {
  const run = randomUUID().slice(0, 8);
  return Array.from({ length: count }, (_, index) => `${what}-${run}-${index}`);
}

/** A processor that answers nothing before it is told to, and tells how many calls have arrived. */
export function holdAnswers() {
  let release = () => {};
  let arrived = 0;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const held =
    <Request, Decision>(method: (request: Request) => Promise<Decision>) =>
    async (request: Request): Promise<Decision> => {
      arrived += 1;
      await released;
      return method(request);
    };
  return {
    wrap: (processor: Processor): Processor => ({
      traits: processor.traits,
      authorize: held(processor.authorize),
      capture: held(processor.capture),
      void: held(processor.void),
      refund: held(processor.refund),
      lookUp: processor.lookUp,
    }),
    arrived: () => arrived,
    release: () => release(),
  };
}
