import { create, fromBinary } from "@bufbuild/protobuf";
import {
  type MetadataEntry as MetadataEntryMessage,
  MetadataEntrySchema,
  type StoredOutcome,
  StoredOutcomeSchema,
} from "../../gen/payonce/idempotency/v1/outcome_pb.js";
import { Code, toCode } from "../answers/code.js";
import { encodeFields, unlessDefault, type WireField } from "../request/wire.js";

/** One entry of gRPC metadata. The name is lower case; a binary value's name ends in `-bin`. */
export type MetadataEntry = readonly [name: string, value: string | Uint8Array];

/** The end of a call: all that its caller receives, and all that a replay repeats. */
export interface Outcome {
  readonly code: Code;
  /** The status message; empty for an OK. */
  readonly message: string;
  /** The response headers of an OK. An error is sent without headers of its own. */
  readonly headers: readonly MetadataEntry[];
  /** The serialized response message of an OK; empty for an error. */
  readonly body: Uint8Array;
  /** The trailers, `grpc-status-details-bin` among them. */
  readonly trailers: readonly MetadataEntry[];
}

/** A function that makes an outcome: it is not called where the handler has stored the outcome already. */
export type PendingOutcome = () => Outcome;

/** @throws what making it throws. */
export function madeOutcome(outcome: Outcome | PendingOutcome): Outcome {
  return typeof outcome === "function" ? outcome() : outcome;
}

/**
 * The meaning of an outcome for its key:
 *
 * - `final`: stored, and replayed for the whole retention
 * - `not_executed`: nothing happened, and the key is free again
 * - `unknown`: something may have happened; the claim stays until it is found out
 */
export type OutcomeClass = "final" | "not_executed" | "unknown";

/** The class that a handler may declare for its own outcome, through `Final` and `NotExecuted`. */
export type DeclaredClass = Exclude<OutcomeClass, "unknown">;

const classByCode: Record<Code, OutcomeClass> = {
  [Code.OK]: "final",
  [Code.NOT_FOUND]: "final",
  [Code.ALREADY_EXISTS]: "final",
  [Code.FAILED_PRECONDITION]: "final",
  [Code.OUT_OF_RANGE]: "final",
  [Code.INVALID_ARGUMENT]: "not_executed",
  [Code.UNAUTHENTICATED]: "not_executed",
  [Code.PERMISSION_DENIED]: "not_executed",
  [Code.UNIMPLEMENTED]: "not_executed",
  [Code.CANCELLED]: "unknown",
  [Code.UNKNOWN]: "unknown",
  [Code.DEADLINE_EXCEEDED]: "unknown",
  [Code.RESOURCE_EXHAUSTED]: "unknown",
  [Code.ABORTED]: "unknown",
  [Code.INTERNAL]: "unknown",
  [Code.UNAVAILABLE]: "unknown",
  [Code.DATA_LOSS]: "unknown",
};

/**
 * Decides what an outcome means for its key. A code is believed only on a
 * claim's first attempt: on a later one an earlier attempt may have acted, so
 * only an OK or what the handler declares ends it.
 */
export function classify(
  code: Code,
  declared: DeclaredClass | undefined,
  attempt: number,
): OutcomeClass {
  if (code === Code.OK) {
    return "final";
  }
  if (declared !== undefined) {
    return declared;
  }
  return attempt === 1 ? classByCode[code] : "unknown";
}

/** Makes an OK with a serialized response message and no metadata. */
export function okOutcome(body: Uint8Array): Outcome {
  return { code: Code.OK, message: "", headers: [], body, trailers: [] };
}

/** The size of an outcome, about the same in memory and encoded. Bytes. */
export function sizeOfOutcome({ message, headers, body, trailers }: Outcome): number {
  return message.length + entriesSize(headers) + body.length + entriesSize(trailers);
}

function entriesSize(entries: readonly MetadataEntry[]): number {
  return entries.reduce((size, [name, value]) => size + name.length + value.length, 0);
}

/** Serializes an outcome for a store, as a `StoredOutcome`. */
export function encodeOutcome({ code, message, headers, body, trailers }: Outcome): Uint8Array {
  return encodeFields([
    unlessDefault(1, code),
    unlessDefault(2, message),
    ...headers.map((header): WireField => [3, encodeEntry(header)]),
    body.length === 0 ? undefined : [4, body],
    ...trailers.map((trailer): WireField => [5, encodeEntry(trailer)]),
  ]);
}

function encodeEntry([name, value]: MetadataEntry): Uint8Array {
  return encodeFields([unlessDefault(1, name), [typeof value === "string" ? 2 : 3, value]]);
}

/** @throws if the bytes are not an encoded outcome. */
export function decodeOutcome(bytes: Uint8Array): Outcome {
  const stored = fromBinary(StoredOutcomeSchema, bytes);
  return {
    code: toCode(stored.code),
    message: stored.message,
    headers: stored.headers.map(fromEntryMessage),
    body: stored.body,
    trailers: stored.trailers.map(fromEntryMessage),
  };
}

/** The outcome as the message that is stored, and that operators see. */
export function toStoredOutcome(outcome: Outcome): StoredOutcome {
  return create(StoredOutcomeSchema, {
    code: outcome.code,
    message: outcome.message,
    headers: outcome.headers.map(toEntryMessage),
    body: outcome.body,
    trailers: outcome.trailers.map(toEntryMessage),
  });
}

function toEntryMessage([name, value]: MetadataEntry): MetadataEntryMessage {
  return create(MetadataEntrySchema, {
    name,
    value: typeof value === "string" ? { case: "text", value } : { case: "binary", value },
  });
}

function fromEntryMessage({ name, value }: MetadataEntryMessage): MetadataEntry {
  return [name, value.value ?? ""];
}
