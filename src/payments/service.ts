import { type DescMessage, toBinary } from "@bufbuild/protobuf";
import type { Pool, PoolClient } from "pg";
import {
  CancelPaymentResponseSchema,
  CapturePaymentResponseSchema,
  CreatePaymentResponseSchema,
  type GetPaymentRequest,
  type PaymentService,
  RefundPaymentResponseSchema,
  RefundSchema,
} from "../gen/payonce/payments/v1/payments_pb.js";
import { CallError, refusal } from "../idempotency/answers/errors.js";
import { type Clock, systemClock } from "../idempotency/clock.js";
import { requireExecution } from "../idempotency/execution/call.js";
import type { ServiceHandlers } from "../idempotency/execution/handlers.js";
import { encodeFields } from "../idempotency/request/wire.js";
import { cutPage, pageTokenOf } from "../runtime/paging.js";
import { invalid } from "./errors.js";
import { createEventStreams } from "./events.js";
import { ledgerPage } from "./ledger-pages.js";
import {
  paymentCursorIn,
  paymentCursorText,
  readPaymentFilter,
  readRefundFilter,
  refundCursorIn,
  refundCursorText,
} from "./list-requests.js";
import { createLostRows, notKnownYet } from "./lost-rows.js";
import { encodePayment, ledgerEntryMessage, paymentMessage, refundMessage } from "./messages.js";
import { isPaymentId, type Operated, paymentIdOfKey, refundIdOf } from "./operation.js";
import { readPage, readPageAt } from "./paging.js";
import { type Performing, perform, type Write } from "./perform.js";
import type { Owners } from "./postgres/owners.js";
import { listPayments } from "./postgres/payment-lists.js";
import { findPayment } from "./postgres/payments.js";
import { read } from "./postgres/read.js";
import { listRefunds } from "./postgres/refund-lists.js";
import { createSteps } from "./postgres/steps.js";
import { createReadPace } from "./read-pace.js";
import { readCancel, readCapture, readCreate, readPaymentId, readRefund } from "./requests.js";
import { ACTION_TIMEOUT_MS } from "./state.js";

/** The parts that the payment handlers work with. */
export interface Dependencies extends Pick<Performing, "processor" | "keyWindow"> {
  readonly pool: Pool;
  /** The store of record, which holds the claims of calls. */
  readonly owners: Owners;
  /**
   * Returns the time since the database was put back to an earlier state, as it may have
   * been. Milliseconds; undefined where it never was. Default: never.
   */
  readonly restoredAgoMs?: () => number | undefined;
  /** The pool of reads, of which no flood may hold up payments. Default: `pool`. */
  readonly reads?: Pool;
  /** The pool of streams. Default: `reads`. */
  readonly streams?: Pool;
  /** Looks whether it was put back just now. Default: there is nothing to see. */
  readonly lookForRestore?: () => Promise<void>;
  readonly clock?: Clock;
  /** The time for which a payment waits for its customer. Milliseconds; default: an hour. */
  readonly actionTimeoutMs?: number;
}

/** Payments over Postgres and a processor. Every method sees only the caller's tenant. */
export function createPaymentHandlers({
  pool,
  owners,
  reads = pool,
  streams = reads,
  processor,
  keyWindow,
  restoredAgoMs = () => undefined,
  lookForRestore = async () => {},
  clock = systemClock,
  actionTimeoutMs = ACTION_TIMEOUT_MS,
}: Dependencies): ServiceHandlers<typeof PaymentService, PoolClient> {
  const lostRows = createLostRows({
    processor,
    keyWindow,
    restoredAgoMs,
    lookForRestore,
  });
  const steps = createSteps({
    pool,
    owners,
    readMoment: keyWindow.readMoment,
    actionTimeoutMs,
  });
  const pace = createReadPace({ clock });
  const pay = <Response extends DescMessage>(write: Write<Response>) =>
    pace.pay(() => perform(performing, write));
  const performing: Performing = { steps, processor, keyWindow, lostRows };
  return {
    createPayment: async (request, context) =>
      pay({
        execution: requireExecution(context),
        readIntent: () => readCreate(request),
        response: CreatePaymentResponseSchema,
        encode: encodeAnswer,
      }),

    capturePayment: async (request, context) =>
      pay({
        execution: requireExecution(context),
        readIntent: () => readCapture(request),
        response: CapturePaymentResponseSchema,
        encode: encodeAnswer,
      }),

    cancelPayment: async (request, context) =>
      pay({
        execution: requireExecution(context),
        readIntent: () => readCancel(request),
        response: CancelPaymentResponseSchema,
        encode: encodeAnswer,
      }),

    refundPayment: async (request, context) => {
      const execution = requireExecution(context);
      return pay({
        execution,
        readIntent: () => readRefund(request),
        response: RefundPaymentResponseSchema,
        encode: ({ operation, payment }) =>
          encodeFields([
            [1, encodePayment(payment)],
            [2, toBinary(RefundSchema, refundMessage(operation, refundIdOf(execution.scope)))],
          ]),
      });
    },

    getPayment: async ({ lookup }, { caller: { tenant } }) => {
      const id = readLookup(lookup, tenant);
      const payment = await read(() => findPayment(reads, { tenant, id }));
      if (payment === undefined) {
        throw isPaymentId(id) && (await read(lostRows.areFound))
          ? notKnownYet()
          : new CallError(refusal("PAYMENT_NOT_FOUND", "there is no such payment"));
      }
      return { payment: paymentMessage(payment) };
    },

    listPayments: async (request, { caller: { tenant }, signal }) => {
      const { filter, text } = readPaymentFilter(request, tenant);
      const page = readPageAt(request, text, paymentCursorIn);
      return pace.page({
        size: page.size,
        signal,
        read: () => read(() => listPayments(reads, filter, page)),
        answer: ({ payments, next }) => ({
          payments: payments.map(paymentMessage),
          nextPageToken: next === undefined ? "" : pageTokenOf(paymentCursorText(next), text),
        }),
      });
    },

    listRefunds: async (request, { caller: { tenant }, signal }) => {
      const { filter, text } = readRefundFilter(request, tenant);
      const page = readPageAt(request, text, refundCursorIn);
      return pace.page({
        size: page.size,
        signal,
        read: () => read(() => listRefunds(reads, filter, page)),
        answer: ({ refunds, next }) => ({
          refunds: refunds.map(({ operation, refundId = "" }) =>
            refundMessage(operation, refundId),
          ),
          nextPageToken: next === undefined ? "" : pageTokenOf(refundCursorText(next), text),
        }),
      });
    },

    listLedgerEntries: async (request, { caller: { tenant }, signal }) => {
      const paymentId = request.paymentId === "" ? undefined : readPaymentId(request.paymentId);
      const filter = ["ledger_entries", tenant, paymentId ?? ""];
      const page = readPage(request, filter);
      const narrowed = { tenant, ...(paymentId === undefined ? {} : { paymentId }) };
      return pace.page({
        size: page.size,
        signal,
        read: () => ledgerPage(reads, { filter: narrowed, page }, { clock, signal }),
        answer(rows) {
          if (rows === undefined) {
            return { entries: [], nextPageToken: pageTokenOf(page.cursor ?? 0n, filter) };
          }
          const cut = cutPage(rows, page, { filter, cursorOf: ({ id }) => id });
          return { entries: cut.rows.map(ledgerEntryMessage), nextPageToken: cut.nextPageToken };
        },
      });
    },

    streamPaymentEvents: createEventStreams(streams, clock),
  };
}

/** The answer of most methods: a message with the payment as its field 1. */
function encodeAnswer({ payment }: Operated): Uint8Array {
  return encodeFields([[1, encodePayment(payment)]]);
}

function readLookup(lookup: GetPaymentRequest["lookup"], tenant: string): string {
  switch (lookup.case) {
    case "paymentId":
      return readPaymentId(lookup.value);
    case "idempotencyKey":
      return paymentIdOfKey(tenant, lookup.value);
    default:
      throw invalid("FIELD_INVALID", "lookup", "must be a payment_id or an idempotency_key");
  }
}
