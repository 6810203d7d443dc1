import { once } from "node:events";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  type OutgoingHttpHeaders,
  type Settings,
} from "node:http2";
import { connect as connectTcp } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { ErrorInfoSchema } from "../../../src/gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "../../../src/gen/google/rpc/status_pb.js";
import { CreatePaymentRequestSchema } from "../../../src/gen/payonce/payments/v1/payments_pb.js";

export const CREATE_PAYMENT = "/payonce.payments.v1.PaymentService/CreatePayment";

/** How long an answer may take, on a busy machine. */
const ANSWER_LIMIT_MS = 20_000;

/** What came back on one HTTP/2 stream. */
export interface RawAnswer {
  /** 0 where no answer came, but a reset. */
  readonly httpStatus: number;
  /** Undefined where there was none. */
  readonly grpcStatus: number | undefined;
  readonly grpcMessage: string;
  /** The reason of the first ErrorInfo. */
  readonly reason: string | undefined;
  /** The code of the RST_STREAM, 0 where there was none. */
  readonly resetCode: number;
  /** All that came as the body: of an OK, its message as gRPC frames it. */
  readonly body: Buffer;
}

export interface RawCall {
  /** Instead of, or beside, those of a correct call; undefined leaves one out. */
  readonly headers?: OutgoingHttpHeaders;
  /** In one piece, or in those that are given, each sent for itself. */
  readonly body?: Uint8Array | readonly Uint8Array[];
  /** Leaves the request unfinished. */
  readonly isOpen?: boolean;
}

/** An HTTP/2 connection to a gRPC server, without a client that knows the rules. */
export async function connectRaw(
  address: string,
  localAddress = "127.0.0.1",
  settings: Settings = {},
): Promise<ClientHttp2Session> {
  const { hostname, port } = new URL(`http://${address}`);
  const session = connect(`http://${address}`, {
    settings,
    maxSessionMemory: 4_096, // MiB; of its own queue, or it would reset the streams itself
    createConnection: () => connectTcp({ host: hostname, port: Number(port), localAddress }),
  });
  session.on("error", () => {}); // it may be cut off
  await once(session, "remoteSettings");
  return session;
}

/** A message as gRPC frames it: a flag, a length, the bytes. */
export function framed(message: Uint8Array, flag = 0): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(flag, 0);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** A CreatePayment of 1 EUR, serialized. */
export const PAYMENT = toBinary(
  CreatePaymentRequestSchema,
  create(CreatePaymentRequestSchema, {
    amount: { currencyCode: "EUR", minorUnits: 100n },
    paymentMethod: "tok_visa",
  }),
);

/** Sends one call as it is given, and waits for its answer or its reset. */
export function callRaw(
  session: ClientHttp2Session,
  { headers = {}, body = framed(PAYMENT), isOpen = false }: RawCall,
): Promise<RawAnswer> {
  const all: OutgoingHttpHeaders = {
    ":method": "POST",
    ":path": CREATE_PAYMENT,
    te: "trailers",
    "content-type": "application/grpc+proto",
    ...headers,
  };
  const given = Object.entries(all).filter(([, value]) => value !== undefined);
  const stream = session.request(Object.fromEntries(given), { endStream: false });
  let received: Record<string, unknown> = {};
  for (const event of ["response", "trailers"]) {
    stream.on(event, (some: Record<string, unknown>) => {
      received = { ...received, ...some };
    });
  }
  stream.on("error", () => {}); // told by its reset code
  const parts: Buffer[] = [];
  stream.on("data", (part: Buffer) => parts.push(part));
  void sendBody(stream, body instanceof Uint8Array ? [body] : body, isOpen);
  return new Promise((resolve, reject) => {
    const limit = setTimeout(() => reject(new Error("no answer")), ANSWER_LIMIT_MS);
    const settle = () => {
      clearTimeout(limit);
      resolve(answerOf(received, { resetCode: stream.rstCode ?? 0, body: Buffer.concat(parts) }));
    };
    stream.once("close", settle);
    // Reset with NO_ERROR, Node's side of a stream stays open until all of the request is sent.
    stream.once("end", () => setImmediate(settle));
  });
}

async function sendBody(
  stream: ClientHttp2Stream,
  pieces: readonly Uint8Array[],
  isOpen: boolean,
): Promise<void> {
  for (const piece of pieces) {
    stream.write(piece);
    if (pieces.length > 1) {
      await nextTurn(); // or they would leave in one frame
    }
  }
  if (!isOpen) {
    stream.end();
  }
}

function answerOf(
  headers: Record<string, unknown>,
  received: Pick<RawAnswer, "resetCode" | "body">,
): RawAnswer {
  const status = headers["grpc-status"];
  const details = headers["grpc-status-details-bin"];
  const [first] =
    typeof details === "string"
      ? fromBinary(StatusSchema, Buffer.from(details, "base64")).details
      : [];
  return {
    httpStatus: Number(headers[":status"] ?? 0),
    grpcStatus: status === undefined ? undefined : Number(status),
    grpcMessage: decodeURIComponent(String(headers["grpc-message"] ?? "")),
    reason: first && fromBinary(ErrorInfoSchema, first.value).reason,
    ...received,
  };
}
