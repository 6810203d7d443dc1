import { create, createRegistry, fromBinary, toBinary, toJson } from "@bufbuild/protobuf";
import { type Any, AnySchema, anyPack, anyUnpack } from "@bufbuild/protobuf/wkt";
import { type Code as ConnectCode, ConnectError } from "@connectrpc/connect";
import { file_google_rpc_error_details } from "../gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "../gen/google/rpc/status_pb.js";
import { toCode } from "../idempotency/answers/code.js";
import { STATUS_DETAILS_TRAILER } from "../idempotency/answers/errors.js";
import { firstReply } from "../idempotency/answers/reply.js";
import { failureOutcome } from "../idempotency/execution/serve.js";
import type { Outcome } from "../idempotency/port/outcome.js";
import { appendEntries, toEntries } from "./metadata.js";

type Detail = ConnectError["details"][number];

const knownDetails = createRegistry(file_google_rpc_error_details);

const madeHere = new WeakSet<ConnectError>();

/**
 * Makes the error, with status details, that a Connect handler throws for what was
 * thrown. The error it came from is the `cause`, for `idempotent` and for logs; the
 * text of one that is not a `CallError` is not sent.
 */
export function toConnectError(thrown: unknown): ConnectError {
  const error = connectErrorOf(firstReply(failureOutcome(thrown)));
  error.cause = thrown;
  madeHere.add(error);
  return error;
}

/** The error that a handler has thrown, if `toConnectError` wrapped it. */
export function unwrapConnectError(error: unknown): unknown {
  return error instanceof ConnectError && madeHere.has(error) ? error.cause : error;
}

/** An error's outcome in Connect's own form: details beside the metadata, not inside. */
export function connectErrorOf({ code, message, trailers }: Outcome): ConnectError {
  // Both enumerations number the codes as gRPC does, and no error is an OK.
  const error = new ConnectError(message.toWellFormed(), code as number as ConnectCode);
  const isDetails = ([name]: readonly [string, unknown]) => name === STATUS_DETAILS_TRAILER;
  appendEntries(
    error.metadata,
    trailers.filter((entry) => !isDetails(entry)),
  );
  error.details = trailers.filter(isDetails).flatMap(([, value]) => detailsIn(value));
  return error;
}

/** The outcome of an error that a handler of Connect's own kind has thrown; any transport can repeat it. */
export function outcomeOf(error: ConnectError): Outcome {
  const { code, rawMessage, details, metadata } = error;
  const status = create(StatusSchema, { code, message: rawMessage, details: details.map(toAny) });
  return {
    code: toCode(code),
    message: rawMessage,
    headers: [],
    body: new Uint8Array(),
    trailers: [
      // The metadata of an error that the handler got from another service describes that response.
      ...(isFromWire(error) ? [] : toEntries(metadata)),
      ...(details.length === 0
        ? []
        : [[STATUS_DETAILS_TRAILER, toBinary(StatusSchema, status)] as const]),
    ],
  };
}

/** Connect before 2.2 does not say it: only a response has a content type. */
function isFromWire(error: Pick<ConnectError, "metadata"> & { isWireError?: boolean }): boolean {
  return error.isWireError ?? error.metadata.has("content-type");
}

function detailsIn(trailer: string | Uint8Array): Detail[] {
  try {
    const bytes = typeof trailer === "string" ? Buffer.from(trailer, "base64") : trailer;
    return fromBinary(StatusSchema, bytes).details.map(toDetail);
  } catch {
    return []; // a handler may have sent anything; the status still says what happened
  }
}

function toDetail(any: Any): Detail {
  const { typeUrl, value } = any;
  const message = anyUnpack(any, knownDetails);
  const desc = message && knownDetails.getMessage(message.$typeName);
  const detail = { type: typeUrl.slice(typeUrl.lastIndexOf("/") + 1), value };
  // For people who read the JSON: its `value` is base64.
  return message && desc ? { ...detail, debug: toJson(desc, message) } : detail;
}

function toAny(detail: Detail): Any {
  return "desc" in detail
    ? anyPack(detail.desc, create(detail.desc, detail.value))
    : create(AnySchema, { typeUrl: `type.googleapis.com/${detail.type}`, value: detail.value });
}
