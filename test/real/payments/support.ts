import { randomUUID } from "node:crypto";
import { create, fromBinary } from "@bufbuild/protobuf";
import type { Pool, PoolClient } from "pg";
import {
  CancelPaymentRequestSchema,
  CaptureMethod,
  CapturePaymentRequestSchema,
  type CreatePaymentRequest,
  CreatePaymentRequestSchema,
  GetPaymentRequestSchema,
  GetPaymentResponseSchema,
  PaymentSchema,
  PaymentService,
  PaymentStatus,
  RefundPaymentRequestSchema,
} from "../../../src/gen/payonce/payments/v1/payments_pb.js";
import { ClaimLost } from "../../../src/idempotency/answers/errors.js";
import type { CallContext, Execution } from "../../../src/idempotency/execution/call.js";
import { completeWithin, ownWithin } from "../../../src/idempotency/execution/ownership.js";
import type { Outcome } from "../../../src/idempotency/port/outcome.js";
import { type Scope, scopeHash } from "../../../src/idempotency/port/scope.js";
import type { Claim } from "../../../src/idempotency/port/store.js";
import { digest } from "../../../src/idempotency/request/digest.js";
import { createKeyWindow, type KeyWindowOptions } from "../../../src/payments/key-window.js";
import { paymentIdOf } from "../../../src/payments/operation.js";
import { paymentMigrations } from "../../../src/payments/postgres/migrations.js";
import type { Processor, ProcessorDecision } from "../../../src/payments/processor.js";
import { sandboxTraits } from "../../../src/payments/processors/sandbox-traits.js";
import { createPaymentHandlers } from "../../../src/payments/service.js";
import {
  createPostgresStore,
  idempotencyMigrations,
  migrate,
  openDatabase,
} from "../../../src/stores/postgres/index.js";
import { createDatabase } from "../../support/servers/postgres.js";

const LEASE_MS = 60_000;
const RETENTION_MS = 3_600_000;

export type Method = "CreatePayment" | "CapturePayment" | "CancelPayment" | "RefundPayment";

export interface ProcessorCall {
  readonly method: "authorize" | "capture" | "void" | "refund";
  readonly processorKey: string;
  readonly minorUnits?: bigint;
}

export type Script = (call: ProcessorCall) => Promise<ProcessorDecision>;

export const approve: Script = async () => ({ kind: "approved" });
export const decline: Script = async () => ({ kind: "declined", declineCode: "no_funds" });
export const dropReply: Script = async () => {
  throw new Error("connection reset");
};

/** A processor that does as the script says. */
export function scripted(script: Script): Processor & { readonly calls: ProcessorCall[] } {
  const calls: ProcessorCall[] = [];
  const on =
    (method: ProcessorCall["method"]) =>
    (request: { processorKey: string; amount?: { minorUnits: bigint } }) => {
      const { processorKey, amount } = request;
      const call = { method, processorKey, ...(amount && { minorUnits: amount.minorUnits }) };
      calls.push(call);
      return script(call);
    };
  return {
    calls,
    traits: sandboxTraits,
    authorize: on("authorize"),
    capture: on("capture"),
    void: on("void"),
    refund: on("refund"),
    lookUp: async () => undefined,
  };
}

/** A processor's answer that is held back: it tells when it is asked for, and comes when told to. */
export function heldAnswer() {
  let tellAsked = () => {};
  let give: (answer: Promise<ProcessorDecision>) => void = () => {};
  const asked = new Promise<void>((resolve) => {
    tellAsked = resolve;
  });
  const answer = new Promise<ProcessorDecision>((resolve) => {
    give = resolve;
  });
  const script: Script = () => {
    tellAsked();
    return answer;
  };
  return { script, asked, give };
}

export type ServeOptions = Partial<KeyWindowOptions> & {
  readonly restoredAgoMs?: () => number | undefined;
  readonly lookForRestore?: () => Promise<void>;
  readonly actionTimeoutMs?: number;
};

export type PaymentsUnderTest = Awaited<ReturnType<typeof startPayments>>;

export interface StartOptions {
  /** Prepares the empty database. */
  readonly prepare?: (url: string) => Promise<void>;
  /** Sees each connection of the service. */
  readonly onConnect?: (client: PoolClient) => void;
}

/** The payment service over a database of its own and the real store of record. */
export async function startPayments({
  prepare = async () => {},
  onConnect = () => {},
}: StartOptions = {}) {
  const database = await createDatabase();
  await prepare(database.url);
  const pool = openDatabase(database.url, () => {});
  const reads = openDatabase(database.url, () => {}, { plans: "in order" });
  for (const own of [pool, reads]) {
    own.on("connect", onConnect);
  }
  await migrate(pool, [...idempotencyMigrations, ...paymentMigrations]);
  const store = createPostgresStore(pool, { inspection: reads });

  function executionOf(claim: Claim, signal: AbortSignal): Execution<PoolClient> {
    const execution: Execution<PoolClient> = {
      scope: claim.scope,
      fingerprint: claim.fingerprint,
      fencingToken: claim.fencingToken,
      attempt: claim.attempt,
      signal,
      elsewhere: (work) => work(),
      throwIfAborted: () => signal.throwIfAborted(),
      ownership: { store, claim, retentionMs: RETENTION_MS, onWritten() {} },
      async assertOwner(transaction) {
        const [isOwner] = await ownWithin(transaction, [execution]);
        if (isOwner !== true) {
          throw new ClaimLost();
        }
      },
      completeWithin: (transaction, body) => completeWithin(transaction, [{ execution, body }]),
    };
    return execution;
  }

  const ask = (scope: Scope, request = "request") =>
    store.claim({
      scope,
      claimId: randomUUID(),
      fingerprint: { version: 1, canonical: digest(request), raw: digest(request) },
      request: new Uint8Array(),
      onLostOwner: "rerun",
      leaseMs: LEASE_MS,
    });

  /** Claims a key for its first attempt. */
  async function claim(
    method: Method,
    key: string,
    options: {
      readonly tenant?: string;
      readonly signal?: AbortSignal;
      /** Names the request: of another name, it is another one. */
      readonly request?: string;
    } = {},
  ): Promise<CallContext<PoolClient> & { execution: Execution<PoolClient> }> {
    const { tenant = "acme", signal = new AbortController().signal, request } = options;
    const operation = `${PaymentService.typeName}/${method}`;
    const result = await ask({ tenant, operation, key }, request);
    if (result.kind !== "claimed") {
      throw new Error(`the key is ${result.kind}`);
    }
    return contextOf(executionOf(result.claim, signal));
  }

  /** Lets the lease run out and claims the key for its next attempt. */
  async function takeOver(context: CallContext<PoolClient>) {
    const scope = context.execution?.scope;
    if (scope === undefined) {
      throw new Error("the call has no key");
    }
    await pool.query(
      `UPDATE idempotency_records SET lease_until = clock_timestamp() - interval '1 s'
       WHERE tenant = $1 AND scope_hash = $2`,
      [scope.tenant, scopeHash(scope)],
    );
    const [taken] = await store.takeOverExpired({
      operations: [scope.operation],
      limit: 1,
      leaseMs: LEASE_MS,
    });
    if (taken === undefined) {
      throw new Error("nothing to take over");
    }
    return contextOf(executionOf(taken.claim, new AbortController().signal));
  }

  /** What a repeated call would be answered with, once it is completed. */
  async function storedOutcome(context: CallContext<PoolClient>): Promise<Outcome | undefined> {
    const result = context.execution && (await ask(context.execution.scope));
    return result?.kind === "replay" ? result.outcome : undefined;
  }

  const serve = (
    processor: Processor,
    {
      restoredAgoMs = () => undefined,
      lookForRestore = async () => {},
      actionTimeoutMs = 3_600_000,
      ...window
    }: ServeOptions = {},
  ) => {
    const keyWindow = createKeyWindow({ windowMs: 86_400_000, longestCallMs: 0, ...window });
    return createPaymentHandlers({
      pool,
      owners: store,
      reads,
      processor,
      keyWindow,
      restoredAgoMs,
      lookForRestore,
      actionTimeoutMs,
    });
  };

  const approving = serve(scripted(approve));

  /** The id of a payment of 1000 EUR cents that the processor has approved. */
  async function createPayment(key: string, change: CreateChange = {}): Promise<string> {
    const context = await claim("CreatePayment", key);
    await approving.createPayment(createRequest(change), context);
    return paymentIdOf(context.execution.scope);
  }

  async function getPayment(id: string) {
    const request = create(GetPaymentRequestSchema, { lookup: { case: "paymentId", value: id } });
    const response = await approving.getPayment(request, readContext("acme"));
    return create(GetPaymentResponseSchema, response).payment;
  }

  return {
    pool,
    store,
    claim,
    takeOver,
    storedOutcome,
    serve,
    createPayment,
    getPayment,
    async stop() {
      await Promise.all([pool.end(), reads.end()]);
      await database.drop();
    },
  };
}

/** The context of a call without a key. */
export function readContext(tenant: string): CallContext<PoolClient> {
  return { caller: { tenant, role: "caller" }, signal: new AbortController().signal };
}

function contextOf(execution: Execution<PoolClient>) {
  return { ...readContext(execution.scope.tenant), execution };
}

export const eur = (minorUnits: bigint) => ({ currencyCode: "EUR", minorUnits });

type CreateChange = Partial<
  Pick<CreatePaymentRequest, "captureMethod" | "merchantReference" | "paymentMethod">
>;

/** By default manual, so that captures can follow. */
export function createRequest(change: CreateChange = {}) {
  return create(CreatePaymentRequestSchema, {
    amount: eur(1000n),
    paymentMethod: "tok_visa",
    captureMethod: CaptureMethod.MANUAL,
    ...change,
  });
}
export const captureRequest = (paymentId: string, minorUnits?: bigint) =>
  create(CapturePaymentRequestSchema, { paymentId, ...amountOf(minorUnits) });
export const refundRequest = (paymentId: string, minorUnits?: bigint) =>
  create(RefundPaymentRequestSchema, { paymentId, ...amountOf(minorUnits) });
export const cancelRequest = (paymentId: string) =>
  create(CancelPaymentRequestSchema, { paymentId });

const amountOf = (minorUnits: bigint | undefined) =>
  minorUnits === undefined ? {} : { amount: eur(minorUnits) };

/** The transitions of a payment in their order, such as `1 PROCESSING`. */
export async function eventsOf(pool: Pool, paymentId: string): Promise<string[]> {
  const { rows } = await pool.query<{ payment: Uint8Array }>(
    "SELECT payment FROM payment_events WHERE payment_id = $1 ORDER BY id",
    [paymentId],
  );
  return rows.map(({ payment }) => {
    const { version, status } = fromBinary(PaymentSchema, payment);
    return `${version} ${PaymentStatus[status]}`;
  });
}

/** A payment's entries, such as `processor_receivable 600`. */
export async function entriesOf(pool: Pool, paymentId: string): Promise<string[]> {
  const { rows } = await pool.query<{ account: string; minor_units: string }>(
    "SELECT account, minor_units FROM ledger_entries WHERE payment_id = $1 ORDER BY id",
    [paymentId],
  );
  return rows.map(({ account, minor_units }) => `${account} ${minor_units}`);
}
