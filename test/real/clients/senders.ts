import { fromBinary, fromJson, type JsonObject, toBinary } from "@bufbuild/protobuf";
import { Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import {
  CreatePaymentRequestSchema,
  CreatePaymentResponseSchema,
  PaymentService,
} from "../../../src/gen/payonce/payments/v1/payments_pb.js";
import { asBuffer } from "../../../src/grpc/metadata.js";
import { Code } from "../../../src/idempotency/answers/code.js";
import { KEY_METADATA } from "../../../src/idempotency/request/key.js";
import type { Driver } from "../../support/conformance/driver.js";
import { callWithGrpcurl } from "../../support/service/grpcurl-call.js";
import { post } from "../../support/service/http.js";
import type { ServiceProcess } from "../../support/service/service-process.js";
import { createPayment } from "./payments.js";

/** A request as its sender gives it to its library. */
export interface Sent {
  readonly key: string;
  /** In protobuf's JSON form. */
  readonly request: JsonObject;
  /** Serialized fields that are merged in. */
  readonly more?: Uint8Array;
}

/** What a sender was told. */
export interface Told {
  readonly paymentId: string | undefined;
  readonly replayed: boolean;
  readonly code: keyof typeof Code;
}

/** Somebody who sends CreatePayment, with a library of their own. */
export interface Sender {
  readonly name: string;
  /** Whether it can send serialized fields. */
  readonly sendsBytes: boolean;
  send(sent: Sent): Promise<Told>;
}

export function senderOf(name: string, driver: Driver, { grpcAddress }: ServiceProcess): Sender {
  return {
    name,
    sendsBytes: true,
    async send({ key, request, more }) {
      const requestBytes = more && Buffer.from(more).toString("base64");
      const call = createPayment(grpcAddress, {
        key,
        request,
        ...(requestBytes === undefined ? {} : { requestBytes }),
      });
      const { code, replayed, response } = await driver.call(call);
      return { code, replayed, paymentId: paymentIdIn(Buffer.from(response, "base64")) };
    },
  };
}

/** Sends bytes as they are: defaults that are written out, and fields in any order. */
export function rawSender({ grpcAddress }: ServiceProcess): Sender & { close(): void } {
  const client = new Client(grpcAddress, credentials.createInsecure());
  return {
    name: "bytes by hand",
    sendsBytes: true,
    send: ({ key, request, more = new Uint8Array() }) =>
      new Promise((resolve) => {
        const metadata = new Metadata();
        metadata.set(KEY_METADATA, key);
        let replayed = false;
        const known = toBinary(
          CreatePaymentRequestSchema,
          fromJson(CreatePaymentRequestSchema, request),
        );
        client
          .makeUnaryRequest(
            `/${PaymentService.typeName}/CreatePayment`,
            asBuffer,
            (bytes) => bytes,
            Buffer.concat([known, more]),
            metadata,
            (error: ServiceError | null, body: Buffer = Buffer.alloc(0)) =>
              resolve({
                code: nameOf(error?.code ?? Code.OK),
                replayed,
                paymentId: paymentIdIn(body),
              }),
          )
          .on("metadata", (headers) => {
            replayed = headers.get("idempotency-replayed").length > 0;
          });
      }),
    close: () => client.close(),
  };
}

export function grpcurlSender({ grpcAddress: address }: ServiceProcess): Sender {
  return {
    name: "grpcurl",
    sendsBytes: false,
    async send({ key, request }) {
      const metadata = [`${KEY_METADATA}: ${key}`];
      const shown = await callWithGrpcurl({ address, method: "CreatePayment", request, metadata });
      const { payment } = shown.json;
      return {
        code: nameOf(shown.code),
        replayed: shown.headers.has("idempotency-replayed"),
        paymentId: idIn(payment),
      };
    },
  };
}

export function jsonSender({ httpAddress: address }: ServiceProcess): Sender {
  return {
    name: "JSON over Connect",
    sendsBytes: false,
    async send({ key, request }) {
      const body = JSON.stringify(request);
      const { headers, text } = await post({ address, method: "CreatePayment", body, key });
      const answer: JsonObject = JSON.parse(text);
      return {
        code: nameOf(typeof answer.code === "string" ? answer.code : Code.OK),
        replayed: headers.has("idempotency-replayed"),
        paymentId: idIn(answer.payment),
      };
    },
  };
}

function paymentIdIn(response: Uint8Array): string | undefined {
  return fromBinary(CreatePaymentResponseSchema, response).payment?.id;
}

function idIn(payment: unknown): string | undefined {
  const id = payment instanceof Object && "id" in payment ? payment.id : undefined;
  return typeof id === "string" ? id : undefined;
}

/** The name of a code, from its number or from Connect's own name of it. */
function nameOf(code: number | string): keyof typeof Code {
  const found = Object.entries(Code).find(
    ([name, number]) => number === code || name === String(code).toUpperCase(),
  );
  if (found === undefined) {
    throw new RangeError(`no code is called ${code}`);
  }
  return found[0] as keyof typeof Code; // a key of Code, whose type Object.entries forgets
}
