import { fromBinary } from "@bufbuild/protobuf";
import { anyUnpack, durationMs } from "@bufbuild/protobuf/wkt";
import { ErrorInfoSchema, RetryInfoSchema } from "../../../src/gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "../../../src/gen/google/rpc/status_pb.js";
import {
  PUSHBACK_TRAILER,
  STATUS_DETAILS_TRAILER,
} from "../../../src/idempotency/answers/errors.js";
import type { Reply } from "../../../src/idempotency/answers/reply.js";

/** An error reply as a client reads it. */
export interface ErrorView {
  readonly reason: string | undefined;
  readonly next: string | undefined;
  readonly retryDelayMs: number | undefined;
  /** Every value of the trailer that native retries obey. */
  readonly pushbacks: readonly string[];
}

export function errorOf({ trailers }: Pick<Reply, "trailers">): ErrorView {
  const bytes = trailers.find(([name]) => name === STATUS_DETAILS_TRAILER)?.[1];
  const details = bytes instanceof Uint8Array ? fromBinary(StatusSchema, bytes).details : [];
  const info = details.map((any) => anyUnpack(any, ErrorInfoSchema)).find(Boolean);
  const retry = details.map((any) => anyUnpack(any, RetryInfoSchema)).find(Boolean);
  return {
    reason: info?.reason,
    next: info?.metadata.next,
    retryDelayMs: retry?.retryDelay === undefined ? undefined : durationMs(retry.retryDelay),
    pushbacks: trailers
      .filter(([name]) => name === PUSHBACK_TRAILER)
      .map(([, value]) => String(value)),
  };
}

export function reasonOf(reply: Pick<Reply, "trailers">): string | undefined {
  return errorOf(reply).reason;
}
