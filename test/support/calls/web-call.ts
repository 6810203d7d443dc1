import { fromBinary } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { ErrorInfoSchema } from "../../../src/gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "../../../src/gen/google/rpc/status_pb.js";
import { Code } from "../../../src/idempotency/answers/code.js";

// Calls as they stand on the wire: the usual clients end a call at its deadline
// by themselves, whatever the server does.

export const WEB_PROTOCOLS = ["Connect with JSON", "Connect", "gRPC-Web"] as const;

export type WebProtocol = (typeof WEB_PROTOCOLS)[number];

export interface WebCall {
  readonly url: string;
  /** The request message, for the protocol with JSON. */
  readonly json: unknown;
  /** The same, serialized, for the others. */
  readonly binary: Uint8Array;
  readonly key?: string;
  /** What the server is told of how long the caller waits. */
  readonly timeoutMs?: number;
  /** How long the caller really waits, before it fails. */
  readonly limitMs: number;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface WebAnswer {
  /** The name of the gRPC status code. */
  readonly status: string;
  /** Of ErrorInfo. */
  readonly reason?: string | undefined;
  readonly next?: string | undefined;
  readonly replayed: boolean;
  /** Serialized, or JSON text; none for an error of a unary call. */
  readonly messages: readonly Buffer[];
}

/** Sends one call over HTTP/1.1. */
export async function postAs(protocol: WebProtocol, call: WebCall): Promise<WebAnswer> {
  const { url, json, binary, key, timeoutMs, limitMs, headers = {} } = call;
  const isGrpcWeb = protocol === "gRPC-Web";
  const timeout =
    timeoutMs === undefined
      ? {}
      : isGrpcWeb
        ? { "grpc-timeout": `${timeoutMs}m` }
        : { "connect-timeout-ms": String(timeoutMs) };
  const response = await fetch(url, {
    method: "POST",
    headers: {
      "content-type": CONTENT_TYPES[protocol],
      ...(key === undefined ? {} : { "idempotency-key": key }),
      ...timeout,
      ...headers,
    },
    body:
      protocol === "Connect with JSON" ? JSON.stringify(json) : isGrpcWeb ? frame(binary) : binary,
    signal: AbortSignal.timeout(limitMs),
  });
  return webAnswerOf(protocol, response, Buffer.from(await response.arrayBuffer()));
}

/** What a response with its body says in this protocol. */
export function webAnswerOf(
  protocol: WebProtocol,
  response: Pick<Response, "ok" | "headers">,
  body: Buffer,
): WebAnswer {
  return protocol === "gRPC-Web" ? grpcWebAnswer(response, body) : connectAnswer(response, body);
}

const CONTENT_TYPES: Record<WebProtocol, string> = {
  "Connect with JSON": "application/json",
  Connect: "application/proto",
  "gRPC-Web": "application/grpc-web+proto",
};

interface ConnectErrorBody {
  readonly code: string;
  readonly details?: readonly { readonly type: string; readonly value: string }[];
}

function connectAnswer({ ok, headers }: Pick<Response, "ok" | "headers">, body: Buffer): WebAnswer {
  const replayed = headers.get("idempotency-replayed") === "true";
  if (ok) {
    return { status: "OK", replayed, messages: [body] };
  }
  const { code, details = [] }: ConnectErrorBody = JSON.parse(body.toString());
  const info = details.find(({ type }) => type === ErrorInfoSchema.typeName);
  const decoded = info && fromBinary(ErrorInfoSchema, Buffer.from(info.value, "base64"));
  return {
    status: code.toUpperCase(),
    reason: decoded?.reason,
    next: decoded?.metadata.next,
    replayed,
    messages: [],
  };
}

/** The flag of the frame that carries the trailers. */
const TRAILERS_FLAG = 0x80;

function grpcWebAnswer({ headers }: Pick<Response, "headers">, body: Buffer): WebAnswer {
  const messages: Buffer[] = [];
  let trailers = headers;
  for (let at = 0; at < body.length; ) {
    const end = at + 5 + body.readUInt32BE(at + 1);
    const content = body.subarray(at + 5, end);
    if (body.readUInt8(at) === TRAILERS_FLAG) {
      trailers = new Headers(
        content
          .toString()
          .trim()
          .split("\r\n")
          .map((line) => line.split(/: ?(.*)/).slice(0, 2) as [string, string]), // a name, a value
      );
    } else {
      messages.push(content);
    }
    at = end;
  }
  const code = Number(trailers.get("grpc-status"));
  const details = Buffer.from(trailers.get("grpc-status-details-bin") ?? "", "base64");
  const info = fromBinary(StatusSchema, details)
    .details.map((any) => anyUnpack(any, ErrorInfoSchema))
    .find((found) => found !== undefined);
  return {
    status: Object.entries(Code).find(([, value]) => value === code)?.[0] ?? "",
    reason: info?.reason,
    next: info?.metadata.next,
    replayed: (code === Code.OK ? headers : trailers).get("idempotency-replayed") === "true",
    messages,
  };
}

function frame(message: Uint8Array): Uint8Array<ArrayBuffer> {
  const framed = Buffer.alloc(5 + message.length);
  framed.writeUInt32BE(message.length, 1);
  framed.set(message, 5);
  return framed;
}
