import { Metadata, type ServiceError } from "@grpc/grpc-js";
import { firstReply } from "../idempotency/answers/reply.js";
import { failureOutcome } from "../idempotency/execution/serve.js";
import { toMetadata } from "./metadata.js";

// grpc-js passes on a status and its metadata, not the error they came from.
const thrownErrors = new WeakMap<Metadata, unknown>();

/**
 * Makes the error, with status details, that a grpc-js handler hands to its
 * callback for what was thrown. Through it the interceptor learns what that was,
 * so that `Final` and `NotExecuted` keep their meaning. The text of an error that is not a
 * `CallError` stays on the server.
 */
export function toServiceError(thrown: unknown): ServiceError {
  const { code, message, trailers } = firstReply(failureOutcome(thrown));
  const metadata = toMetadata(trailers);
  thrownErrors.set(metadata, thrown);
  // grpc-js throws on a text that it cannot encode.
  return Object.assign(new Error(message), { code, details: message.toWellFormed(), metadata });
}

/** The error that `toServiceError` was given, by the metadata of the status it became. */
export function thrownErrorOf(metadata: Metadata | null | undefined): unknown {
  return metadata instanceof Metadata ? thrownErrors.get(metadata) : undefined;
}
