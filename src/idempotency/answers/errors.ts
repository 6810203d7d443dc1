import { create, type DescMessage, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { anyPack, durationFromMs } from "@bufbuild/protobuf/wkt";
import { ERROR_DOMAIN, PUSHBACK_TRAILER, STATUS_DETAILS_TRAILER } from "@payonce/client/internal";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RetryInfoSchema,
} from "../../gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "../../gen/google/rpc/status_pb.js";
import type { DeclaredClass, MetadataEntry, Outcome } from "../port/outcome.js";
import {
  type CodeOf,
  type ErrorCode,
  type Next,
  type NextOf,
  type Reason,
  reasons,
} from "./reasons.js";

export { ERROR_DOMAIN, type Next, PUSHBACK_TRAILER, type Reason, STATUS_DETAILS_TRAILER };

/** An error as its caller sees it. */
export interface ErrorDescription {
  readonly code: ErrorCode;
  /** UPPER_SNAKE_CASE, fixed for good: programs switch over it. */
  readonly reason: string;
  /** A text for people; programs switch over `reason`. */
  readonly message: string;
  readonly next: Next;
  /** The time after which a retry with the same key can help. Milliseconds. */
  readonly retryDelayMs?: number;
  /** The request's field, or the metadata entry, that is wrong. */
  readonly field?: string;
  /** More entries for the metadata of ErrorInfo. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** The parts of an error beyond its reason and message. */
type More<R extends Reason> = Pick<ErrorDescription, "retryDelayMs" | "field" | "metadata"> & {
  readonly code?: CodeOf<R>;
  readonly next?: NextOf<R>;
};

/** Describes an error of this project's own; the table of reasons decides its code. */
export function refusal<R extends Reason>(
  reason: R,
  message: string,
  more: More<R> = {},
): ErrorDescription {
  const { codes, nexts } = reasons[reason];
  return { code: codes[0], next: nexts[0], reason, message, ...more };
}

/**
 * The error that a handler throws to answer with a status. By itself it does not
 * say whether the handler acted: its code decides that, and only on a first
 * attempt. With NOT_FOUND, for example, it is stored and replayed; with
 * INVALID_ARGUMENT the key is free again.
 */
export class CallError extends Error {
  readonly declared: DeclaredClass | undefined = undefined;

  constructor(readonly description: ErrorDescription) {
    super(description.message);
    this.name = new.target.name;
  }
}

/** The operation is over, and this error is its answer for good, whatever its code. */
export class Final extends CallError {
  override readonly declared = "final";
}

/** The handler vouches that nothing happened, on this attempt or an earlier one: the key is free again. */
export class NotExecuted extends CallError {
  override readonly declared = "not_executed";
}

/**
 * The outcome is unknown and another attempt would be unsafe: the key is held
 * for an operator, whatever the method's policy.
 */
export class Parked extends Error {
  override readonly name = "Parked";
}

/** The claim belongs to another owner by now. Whatever the old one would still write is void. */
export class ClaimLost extends Error {
  override readonly name = "ClaimLost";
}

/** A store has more to do than it may take on. The claim was not sent to it, and will not be. */
export class StoreOverloaded extends Error {
  override readonly name = "StoreOverloaded";
}

/** The outcome that carries an error to its caller: a status, its details and the trailers. */
export function errorOutcome(error: ErrorDescription): Outcome {
  const status = toBinary(
    StatusSchema,
    create(StatusSchema, {
      code: error.code,
      message: error.message,
      details: errorDetails(error).map(({ desc, message }) => anyPack(desc, message)),
    }),
  );
  const trailers: MetadataEntry[] = [[STATUS_DETAILS_TRAILER, status]];
  if (error.retryDelayMs !== undefined) {
    trailers.push([PUSHBACK_TRAILER, String(Math.ceil(error.retryDelayMs))]);
  }
  return {
    code: error.code,
    message: error.message,
    headers: [],
    body: new Uint8Array(),
    trailers,
  };
}

interface Detail {
  readonly desc: DescMessage;
  readonly message: MessageShape<DescMessage>;
}

function errorDetails(error: ErrorDescription): Detail[] {
  const details: Detail[] = [
    {
      desc: ErrorInfoSchema,
      message: create(ErrorInfoSchema, {
        reason: error.reason,
        domain: ERROR_DOMAIN,
        metadata: { next: error.next, ...error.metadata },
      }),
    },
  ];
  if (error.retryDelayMs !== undefined) {
    details.push({
      desc: RetryInfoSchema,
      message: create(RetryInfoSchema, {
        retryDelay: durationFromMs(Math.ceil(error.retryDelayMs)),
      }),
    });
  }
  if (error.field !== undefined) {
    details.push({
      desc: BadRequestSchema,
      message: create(BadRequestSchema, {
        fieldViolations: [{ field: error.field, description: error.message }],
      }),
    });
  }
  return details;
}
