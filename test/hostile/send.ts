import { request as httpRequest, type OutgoingHttpHeaders } from "node:http";
import type { ClientHttp2Session, OutgoingHttpHeaders as OutgoingHttp2Headers } from "node:http2";
import { setTimeout as sleep } from "node:timers/promises";
import { fromBinary, fromJsonString } from "@bufbuild/protobuf";
import {
  CreatePaymentResponseSchema,
  type Payment,
} from "../../src/gen/payonce/payments/v1/payments_pb.js";
import { Code } from "../../src/idempotency/answers/code.js";
import {
  CREATE_PAYMENT,
  callRaw,
  type RawAnswer,
  type RawCall,
} from "../support/calls/hostile-grpc.js";
import { type WebProtocol, webAnswerOf } from "../support/calls/web-call.js";
import type { Reply } from "./attempt.js";
import { CALLER_TOKEN } from "./settings.js";
import type { Target } from "./target.js";

const FRAME_HEAD_BYTES = 5;

/** A case says more than that the machine is busy: its calls are repeated, as clients do. */
const MAX_TRIES = 5;
const RETRY_DELAY_MS = 100;

async function unlessOverloaded(send: () => Promise<Reply>): Promise<Reply> {
  for (let tries = 1; ; tries += 1) {
    const reply = await send();
    if (reply.reason !== "OVERLOADED" || tries === MAX_TRIES) {
      return reply;
    }
    await sleep(tries * RETRY_DELAY_MS);
  }
}

const authorization = `Bearer ${CALLER_TOKEN}`;

/** Sends one call of CreatePayment over gRPC, or of what the headers say. */
export async function sendGrpc(
  target: Target,
  call: RawCall & { readonly session?: ClientHttp2Session },
): Promise<Reply> {
  const headers: OutgoingHttp2Headers = { authorization, ...call.headers };
  return unlessOverloaded(async () => {
    const session = call.session ?? (await target.session());
    const answer = await callRaw(session, { ...call, headers });
    return replyOfGrpc(answer, String(headers[":path"] ?? CREATE_PAYMENT));
  });
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
export function sendHttp(target: Target, call: HttpCall): Promise<Reply> {
  const path = call.path ?? CREATE_PAYMENT;
  return unlessOverloaded(async () => {
    const response = await receive(target, call, path).catch(() => undefined);
    return response === undefined ? NOTHING : replyOfHttp(response, path);
  });
}

/** Nothing came but the end of the connection. */
export const NOTHING: Reply = {
  status: "CLOSED",
  reason: undefined,
  message: Buffer.alloc(0),
  payment: undefined,
};

function replyOfHttp({ status, headers, body }: HttpResponse, path: string): Reply {
  const ok = status === 200;
  const contentType = headers.get("content-type") ?? "";
  // What was sent may have been said to be anything: so is what comes.
  const protocol = PROTOCOLS.find(([type]) => contentType.startsWith(type))?.[1];
  if (protocol === undefined || (!ok && protocol === "Connect")) {
    return { ...NOTHING, status: `HTTP ${status}` };
  }
  const answer = webAnswerOf(protocol, { ok, headers }, body);
  const message = answer.messages[0] ?? Buffer.alloc(0);
  const isPayment = answer.status === "OK" && path === CREATE_PAYMENT;
  const isJson = contentType.includes("json");
  return {
    status: answer.status,
    reason: answer.reason,
    message,
    payment: isPayment ? paymentIn(message, isJson) : undefined,
  };
}

const PROTOCOLS: readonly (readonly [contentType: string, protocol: WebProtocol])[] = [
  ["application/grpc-web", "gRPC-Web"],
  ["application/json", "Connect with JSON"],
  ["application/proto", "Connect"],
];

function paymentIn(message: Buffer, isJson: boolean): Payment | undefined {
  return (
    isJson
      ? fromJsonString(CreatePaymentResponseSchema, message.toString())
      : fromBinary(CreatePaymentResponseSchema, message)
  ).payment;
}

function receive(target: Target, call: HttpCall, path: string): Promise<HttpResponse> {
  const { httpAddress, agent } = target;
  const { protocol, body, headers, method = "POST" } = call;
  const { hostname, port } = new URL(`http://${httpAddress}`);
  const all: OutgoingHttpHeaders = {
    authorization,
    "content-type": CONTENT_TYPES[protocol],
    "content-length": Buffer.byteLength(body),
    ...headers,
  };
  return new Promise((resolve, reject) => {
    const request = httpRequest({
      agent,
      hostname,
      port,
      path,
      method,
      headers: Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)),
    });
    request.once("error", (error) => {
      // The server may have closed a connection just when it was to be used again.
      if (request.reusedSocket) {
        receive(target, call, path).then(resolve, reject);
      } else {
        reject(error);
      }
    });
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
