import { setTimeout as sleep } from "node:timers/promises";
import { create, toBinary } from "@bufbuild/protobuf";
import { Client, credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import {
  CreatePaymentRequestSchema,
  PaymentService,
} from "../../src/gen/payonce/payments/v1/payments_pb.js";
import { KEY_METADATA } from "../../src/idempotency/request/key.js";

export const CREATE_PAYMENT = `/${PaymentService.typeName}/CreatePayment`;

/**
 * The bytes of a request, filled up to a length. Every call carries those that
 * were made once: the load generator should cost little.
 */
export function encodeRequest(bytes = 0): Buffer {
  const request = create(CreatePaymentRequestSchema, {
    amount: { currencyCode: "EUR", minorUnits: 1999n },
    paymentMethod: "tok_visa",
    merchantReference: "order-4711",
  });
  const shortest = toBinary(CreatePaymentRequestSchema, request);
  const missing = bytes - shortest.length - FIELD_BYTES;
  return Buffer.from(
    missing <= 0
      ? shortest
      : toBinary(CreatePaymentRequestSchema, { ...request, description: "-".repeat(missing) }),
  );
}

/** Before the characters of a description that has from 128 to 16,383 of them. */
const FIELD_BYTES = 3;

export interface Call {
  readonly key: string;
  readonly request: Buffer;
  readonly token?: string | undefined;
}

export interface Answer {
  readonly isReplayed: boolean;
  /** How often the caller was told to come again. */
  readonly retries: number;
}

/** A connection of its own. */
export function createClient(target: string): Client {
  return new Client(target, credentials.createInsecure(), {
    "grpc.use_local_subchannel_pool": 1,
    "grpc.enable_retries": 0,
  });
}

/**
 * Sends a call until it is answered, as often as it is told to come again.
 * @throws if it is answered with an error.
 */
export async function callUntilAnswered(client: Client, call: Call): Promise<Answer> {
  for (let retries = 0; ; retries += 1) {
    const attempt = await send(client, call);
    if (attempt.error === undefined) {
      return { isReplayed: attempt.isReplayed, retries };
    }
    await sleep(retryDelayMs(attempt.error));
  }
}

interface Attempt {
  readonly isReplayed: boolean;
  readonly error?: ServiceError;
}

function send(client: Client, { key, request, token }: Call): Promise<Attempt> {
  const metadata = new Metadata();
  metadata.set(KEY_METADATA, key);
  if (token !== undefined) {
    metadata.set("authorization", `Bearer ${token}`);
  }
  return new Promise((resolve) => {
    let isReplayed = false;
    const call = client.makeUnaryRequest(CREATE_PAYMENT, asIs, asIs, request, metadata, (error) =>
      resolve(error === null ? { isReplayed } : { isReplayed, error }),
    );
    call.on("metadata", (headers: Metadata) => {
      isReplayed = headers.get("idempotency-replayed").length > 0;
    });
  });
}

export function asIs(bytes: Buffer): Buffer {
  return bytes;
}

/** Only a call that is in flight elsewhere may be sent again: every other error is wrong work. */
function retryDelayMs(error: ServiceError): number {
  const [pushback] = error.metadata.get("grpc-retry-pushback-ms");
  if (error.code !== status.ABORTED || pushback === undefined) {
    throw error;
  }
  return Number(pushback);
}
