import { request as httpRequest, type OutgoingHttpHeaders } from "node:http";
import type { ClientHttp2Session, OutgoingHttpHeaders as OutgoingHttp2Headers } from "node:http2";
import { fromBinary, fromJsonString } from "@bufbuild/protobuf";
import {
  CreatePaymentResponseSchema,
  type Payment,
} from "../../src/gen/payonce/payments/v1/payments_pb.js";
import { Code } from "../../src/idempotency/code.js";
import { CREATE_PAYMENT, callRaw, type RawAnswer, type RawCall } from "../support/hostile-grpc.js";
import { type WebAnswer, type WebProtocol, webAnswerOf } from "../support/web-call.js";
import type { Reply } from "./attempt.js";
import { CALLER_TOKEN } from "./settings.js";
import type { Target } from "./target.js";

const FRAME_HEAD_BYTES = 5;

const authorization = `Bearer ${CALLER_TOKEN}`;

/** Sends one call of CreatePayment over gRPC, or of what the headers say. */
export async function sendGrpc(
  target: Target,
  call: RawCall & { readonly session?: ClientHttp2Session },
): Promise<Reply> {
  const session = call.session ?? (await target.session());
  const headers: OutgoingHttp2Headers = { authorization, ...call.headers };
  const answer = await callRaw(session, { ...call, headers });
  return replyOfGrpc(answer, String(headers[":path"] ?? CREATE_PAYMENT));
}

function replyOfGrpc(answer: RawAnswer, path: string): Reply {
  const { httpStatus, grpcStatus, reason } = answer;
  const message = answer.body.subarray(FRAME_HEAD_BYTES);
  if (grpcStatus === undefined) {
    const status = httpStatus === 0 || httpStatus === 200 ? "CLOSED" : `HTTP ${httpStatus}`;
    return { status, reason, message, payment: undefined };
  }
  const isPayment = grpcStatus === Code.OK && path === CREATE_PAYMENT;
  return {
    status: nameOf(grpcStatus),
    reason,
    message,
    payment: isPayment ? fromBinary(CreatePaymentResponseSchema, message).payment : undefined,
  };
}

function nameOf(code: number): string {
  return Object.entries(Code).find(([, value]) => value === code)?.[0] ?? `code ${code}`;
}

export interface HttpCall {
  readonly protocol: WebProtocol;
  readonly body: Uint8Array | string;
  readonly headers?: OutgoingHttpHeaders;
  readonly path?: string;
  readonly method?: string;
}

const CONTENT_TYPES: Record<WebProtocol, string> = {
  "Connect with JSON": "application/json",
  Connect: "application/proto",
  "gRPC-Web": "application/grpc-web+proto",
};

interface HttpResponse {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Buffer;
}

/** The same over HTTP/1.1. The body is sent as it is. */
export async function sendHttp(target: Target, call: HttpCall): Promise<Reply> {
  const path = call.path ?? CREATE_PAYMENT;
  const response = await receive(target, call, path).catch(() => undefined);
  if (response === undefined) {
    return { status: "CLOSED", reason: undefined, message: Buffer.alloc(0), payment: undefined };
  }
  const { status, reason, messages } = webAnswer(call.protocol, response);
  const message = messages[0] ?? Buffer.alloc(0);
  const isPayment = status === "OK" && path === CREATE_PAYMENT;
  const payment = isPayment ? paymentIn(message, call.protocol) : undefined;
  return { status, reason, message, payment };
}

function paymentIn(message: Buffer, protocol: WebProtocol): Payment | undefined {
  return (
    protocol === "Connect with JSON"
      ? fromJsonString(CreatePaymentResponseSchema, message.toString())
      : fromBinary(CreatePaymentResponseSchema, message)
  ).payment;
}

function webAnswer(protocol: WebProtocol, response: HttpResponse): Omit<WebAnswer, "replayed"> {
  const { status, headers, body } = response;
  const isOurs =
    status === 200
      ? headers.get("content-type") !== null
      : /json/.test(headers.get("content-type") ?? "");
  return isOurs
    ? webAnswerOf(protocol, { ok: status === 200, headers }, body)
    : { status: `HTTP ${status}`, messages: [] };
}

function receive(
  { httpAddress, agent }: Target,
  { protocol, body, headers, method = "POST" }: HttpCall,
  path: string,
): Promise<HttpResponse> {
  const { hostname, port } = new URL(`http://${httpAddress}`);
  return new Promise((resolve, reject) => {
    const request = httpRequest({
      agent,
      hostname,
      port,
      path,
      method,
      headers: {
        authorization,
        "content-type": CONTENT_TYPES[protocol],
        "content-length": Buffer.byteLength(body),
        ...headers,
      },
    });
    request.once("error", reject);
    request.once("response", (response) => {
      const parts: Buffer[] = [];
      response.on("data", (part: Buffer) => parts.push(part));
      response.once("error", reject);
      response.once("end", () => {
        const received = new Headers();
        for (const [name, value] of Object.entries(response.headers)) {
          received.set(name, String(value));
        }
        resolve({
          status: response.statusCode ?? 0,
          headers: received,
          body: Buffer.concat(parts),
        });
      });
    });
    request.end(body);
  });
}
