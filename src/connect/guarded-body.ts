import {
  type DescMessage,
  fromBinary,
  fromJsonString,
  type JsonReadOptions,
} from "@bufbuild/protobuf";
import { isFieldError } from "@bufbuild/protobuf/reflect";
import { Code as ConnectCode, ConnectError } from "@connectrpc/connect";
import {
  compressedFlag,
  readAllBytes,
  type UniversalServerRequest,
} from "@connectrpc/connect/protocol";
import { compressionBrotli, compressionGzip } from "@connectrpc/connect-node";
import { refusedReply } from "../idempotency/answers/reply.js";
import { requestInvalid } from "../idempotency/execution/serve.js";
import { checkJsonRequest } from "../idempotency/request/json-limits.js";
import { checkRequest, RequestInvalid } from "../idempotency/request/request-limits.js";
import { connectErrorOf } from "./errors.js";
import { ROUTER_OPTIONS } from "./router-options.js";

/** A message's flags and length stand before it, in all protocols but Connect's own for single calls. */
const ENVELOPE_BYTES = 5;

const ENCODING_HEADERS = ["content-encoding", "grpc-encoding", "connect-content-encoding"];

const compressions = new Map(
  [compressionGzip, compressionBrotli].map((compression) => [compression.name, compression]),
);

export interface GuardedRequest {
  readonly desc: DescMessage;
  readonly maxBytes: number;
  /** As the router has them. */
  readonly jsonOptions: Partial<JsonReadOptions> | undefined;
}

/**
 * The body of a request with one message, which is looked through before
 * anything is decoded. Reading it fails with a ConnectError INVALID_ARGUMENT
 * that its protocol then answers with.
 */
export async function* guardedBody(
  { header }: Pick<UniversalServerRequest, "header">,
  body: AsyncIterable<Uint8Array>,
  { desc, maxBytes, jsonOptions }: GuardedRequest,
): AsyncIterable<Uint8Array> {
  const bytes = await refusing(() => readAllBytes(body, maxBytes + ENVELOPE_BYTES));
  await refusing(async () => {
    for (const { header: name, accepts } of refusedTimeouts(header)) {
      throw new RequestInvalid(`${name} accepts ${accepts}, and at most a day`);
    }
    const message = await messageIn(bytes, header, maxBytes);
    const isJson = /\bjson\b/.test(header.get("content-type") ?? "");
    if (isJson) {
      checkJsonRequest(desc, message);
      checkJsonDecodes(desc, message, jsonOptions);
    } else {
      checkRequest(desc, message);
      checkDecodes(desc, message);
    }
  });
  yield bytes;
}

// Decoding comes again, in the protocol. It would answer without a reason there, and INTERNAL
// where it is no JSON: a request is small, and the second time costs little.

function checkDecodes(desc: DescMessage, message: Uint8Array): void {
  try {
    fromBinary(desc, message);
  } catch {
    throw new RequestInvalid("the request is not a serialized message of its type");
  }
}

function checkJsonDecodes(
  desc: DescMessage,
  message: Uint8Array,
  options: GuardedRequest["jsonOptions"],
): void {
  try {
    // Connect's own default, which is not that of the decoder.
    const read = { ignoreUnknownFields: true, ...options };
    fromJsonString(desc, new TextDecoder().decode(message), read);
  } catch (error) {
    throw new RequestInvalid(jsonProblem(error));
  }
}

/** A name longer than this is none of ours, and not worth repeating. Characters. */
const MAX_NAME_LENGTH = 64;

/** Describes the problem without repeating a value, which may be a secret. */
function jsonProblem(error: unknown): string {
  const { message, cause } = error instanceof Error ? error : {};
  if (isFieldError(cause)) {
    return `${cause.field().name} must be given once, in the form that its type has in JSON`;
  }
  const unknown = /: key "(.*)" is unknown$/s.exec(message ?? "")?.[1];
  return unknown === undefined || unknown.length > MAX_NAME_LENGTH
    ? "the request must be a JSON object with the fields of its message"
    : `the request has no field ${JSON.stringify(unknown)}`;
}

/** The headers that say how long a caller waits, in the form of each protocol. */
const TIMEOUTS: readonly {
  readonly header: string;
  readonly form: RegExp;
  readonly accepts: string;
}[] = [
  { header: "connect-timeout-ms", form: /^(\d{1,10})$/, accepts: "1 to 10 digits" },
  {
    header: "grpc-timeout",
    form: /^(\d{1,8})([HMSmun])$/,
    accepts: "1 to 8 digits and one of H, M, S, m, u, n",
  },
];

const UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000 };

/**
 * The headers without what the protocol of a request would refuse before it
 * reads the body, and without a reason: the body, which is guarded, then says
 * better what is wrong.
 */
export function readableHeaders(header: Headers): Headers {
  const unreadable = [
    ...ENCODING_HEADERS.filter((name) => {
      const encoding = header.get(name);
      return encoding !== null && encoding !== "identity" && !compressions.has(encoding);
    }),
    ...refusedTimeouts(header).map(({ header: name }) => name),
  ];
  if (unreadable.length === 0) {
    return header;
  }
  const readable = new Headers(header);
  for (const name of unreadable) {
    readable.delete(name);
  }
  return readable;
}

/** The timeouts that have another form, and those that Connect would refuse as too long. */
function refusedTimeouts(header: Headers) {
  return TIMEOUTS.filter(({ header: name, form }) => {
    const timeout = header.get(name);
    const [matched, digits, unit = ""] = form.exec(timeout ?? "") ?? [];
    const isShort = Number(digits) * (UNIT_MS[unit] ?? 1) <= ROUTER_OPTIONS.maxTimeoutMs;
    return timeout !== null && (matched === undefined || !isShort);
  });
}

/** @throws ConnectError with REQUEST_INVALID for what is refused, and for what is too large. */
async function refusing<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    const isRefusal =
      error instanceof RequestInvalid ||
      (error instanceof ConnectError && error.code === ConnectCode.ResourceExhausted);
    throw isRefusal ? connectErrorOf(refusedReply(requestInvalid(error))) : error;
  }
}

/** The serialized message of a body. */
async function messageIn(body: Uint8Array, header: Headers, maxBytes: number): Promise<Uint8Array> {
  const contentType = header.get("content-type") ?? "";
  if (/^application\/(json|proto)\b/.test(contentType)) {
    return decompressed(body, header.get("content-encoding"), maxBytes);
  }
  const length = new DataView(body.buffer, body.byteOffset, body.byteLength);
  if (body.length < ENVELOPE_BYTES || length.getUint32(1) !== body.length - ENVELOPE_BYTES) {
    throw new RequestInvalid("the request must hold one message");
  }
  const message = body.subarray(ENVELOPE_BYTES);
  const encoding = header.get("grpc-encoding") ?? header.get("connect-content-encoding");
  switch (body[0]) {
    case 0:
      return message;
    case compressedFlag:
      if (encoding === null) {
        throw new RequestInvalid("a compressed message needs the encoding it is compressed with");
      }
      return decompressed(message, encoding, maxBytes);
    default:
      throw new RequestInvalid("the flag before a message is 0 or 1");
  }
}

async function decompressed(
  bytes: Uint8Array,
  encoding: string | null,
  maxBytes: number,
): Promise<Uint8Array> {
  if (encoding === null || encoding === "identity") {
    return bytes;
  }
  const compression = compressions.get(encoding);
  if (compression === undefined) {
    throw new RequestInvalid(
      `the request's encoding is none of identity, ${[...compressions.keys()].join(", ")}`,
    );
  }
  try {
    return await compression.decompress(bytes, maxBytes);
  } catch (error) {
    const isTooLarge =
      error instanceof ConnectError && error.code === ConnectCode.ResourceExhausted;
    throw isTooLarge ? error : new RequestInvalid("the request cannot be decompressed");
  }
}
