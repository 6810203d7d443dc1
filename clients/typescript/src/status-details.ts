import { type DescMessage, fromBinary, type MessageShape } from "@bufbuild/protobuf";
import { type Any, anyUnpack, durationMs } from "@bufbuild/protobuf/wkt";
import type { RetryInfo } from "./gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "./gen/google/rpc/status_pb.js";

/** The details in the trailer `grpc-status-details-bin`; none if it is absent or no status. */
export function detailsIn(trailer: unknown): readonly Any[] {
  if (!(trailer instanceof Uint8Array)) {
    return [];
  }
  try {
    return fromBinary(StatusSchema, trailer).details;
  } catch {
    return []; // anything may stand in a trailer; the status itself still counts
  }
}

/** The first detail of the type. */
export function detail<Desc extends DescMessage>(
  details: readonly Any[],
  schema: Desc,
): MessageShape<Desc> | undefined {
  for (const any of details) {
    try {
      const message = anyUnpack(any, schema);
      if (message !== undefined) {
        return message;
      }
    } catch {
      // not what its type says: as if it were not there
    }
  }
  return undefined;
}

export function retryDelayMs(info: RetryInfo | undefined): number | undefined {
  return info?.retryDelay && durationMs(info.retryDelay);
}
