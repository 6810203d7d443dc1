import { once } from "node:events";
import { request as httpRequest } from "node:http";
import { connect } from "node:http2";
import { fromBinary } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { ErrorInfoSchema } from "../../../src/gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "../../../src/gen/google/rpc/status_pb.js";
import { STATUS_DETAILS_TRAILER } from "../../../src/idempotency/answers/errors.js";

/** A call whose headers the server has, and whose message it has not. */
export interface LateCall {
  /** Sends the message. */
  finish(): Promise<LateAnswer>;
}

export interface LateAnswer {
  readonly status: number;
  /** From ErrorInfo. */
  readonly reason: string | undefined;
  /** Whether the server asks for no more calls on this connection. Of HTTP/1.1. */
  readonly isLast?: boolean;
}

export interface LateCallOptions {
  /** host:port. */
  readonly address: string;
  readonly path: string;
  readonly key?: string;
}

/** Begins a call over gRPC. The status is that of gRPC. */
export async function beginGrpcCall(
  { address, path, key }: LateCallOptions,
  message: Uint8Array,
): Promise<LateCall> {
  const session = connect(`http://${address}`);
  session.on("error", () => {}); // it may be cut off
  await once(session, "remoteSettings");
  const stream = session.request({
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    te: "trailers",
    ...(key === undefined ? {} : { "idempotency-key": key }),
  });
  await new Promise((resolve) => session.ping(resolve)); // it has read the headers by then
  return {
    async finish() {
      const frame = Buffer.alloc(5);
      frame.writeUInt32BE(message.length, 1);
      stream.end(Buffer.concat([frame, message]));
      stream.resume();
      // An error comes in trailers alone, which HTTP/2 calls headers.
      const [headers] = await once(stream, "response");
      const encoded = Buffer.from(String(headers[STATUS_DETAILS_TRAILER] ?? ""), "base64");
      const info = fromBinary(StatusSchema, encoded).details.map((any) =>
        anyUnpack(any, ErrorInfoSchema),
      )[0];
      session.destroy();
      return { status: Number(headers["grpc-status"]), reason: info?.reason };
    },
  };
}

/** Begins a call over HTTP with JSON. The status is that of HTTP. */
export async function beginHttpCall(
  { address, path, key }: LateCallOptions,
  json: string,
): Promise<LateCall> {
  const request = httpRequest(`http://${address}${path}`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(json),
      expect: "100-continue",
      ...(key === undefined ? {} : { "idempotency-key": key }),
    },
  });
  request.flushHeaders();
  await once(request, "continue"); // it has read the headers by then
  return {
    async finish() {
      request.end(json);
      const [response] = await once(request, "response");
      let text = "";
      for await (const part of response) {
        text += part;
      }
      return {
        status: response.statusCode,
        reason: /"reason": ?"(\w+)"/.exec(text)?.[1],
        isLast: response.headers.connection === "close",
      };
    },
  };
}
