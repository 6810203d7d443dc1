import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from "node:http2";
import { create, type DescMethod, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { framed } from "./hostile-grpc.js";

/** An HTTP/2 connection whose streams the test opens, and breaks, by itself. */
export interface RawGrpc {
  readonly session: ClientHttp2Session;
  /** Sends a whole call. What comes back is not read. */
  send<Method extends DescMethod>(
    method: Method,
    request: MessageInitShape<Method["input"]>,
    key?: string,
  ): ClientHttp2Stream;
  close(): void;
}

export interface RawGrpcOptions {
  /** How much of each answer the server may send. Default: HTTP/2's own. Bytes. */
  readonly initialWindowSize?: number;
}

export function openRawGrpc(target: string, options: RawGrpcOptions = {}): RawGrpc {
  const session = connect(`http://${target}`, { settings: options });
  session.on("error", () => {}); // what the test breaks
  return {
    session,
    send(method, request, key) {
      const stream = session.request({
        [constants.HTTP2_HEADER_METHOD]: "POST",
        [constants.HTTP2_HEADER_PATH]: `/${method.parent.typeName}/${method.name}`,
        "content-type": "application/grpc",
        te: "trailers",
        ...(key === undefined ? {} : { "idempotency-key": key }),
      });
      stream.on("error", () => {});
      stream.end(framed(toBinary(method.input, create(method.input, request))));
      return stream;
    },
    close: () => session.destroy(),
  };
}
