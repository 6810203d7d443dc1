import {
  type InspectionService,
  RecordState,
} from "../gen/payonce/idempotency/v1/inspection_pb.js";
import { CallError } from "../idempotency/answers/errors.js";
import type { ServiceHandlers } from "../idempotency/execution/handlers.js";
import { requireOperator } from "./identity.js";
import type { Logger } from "./log.js";

type ResolveKey<Transaction> = ServiceHandlers<typeof InspectionService, Transaction>["resolveKey"];

/**
 * Logs which operator asks to end which key and how, before anything is done,
 * and then what came of it. Who is no operator writes no lines.
 */
export function logResolutions<Transaction>(
  log: Logger,
  resolveKey: ResolveKey<Transaction>,
): ResolveKey<Transaction> {
  return async (request, context) => {
    const { caller } = context;
    requireOperator(caller);
    const { name, fencingToken, resolution, reason } = request;
    const asked = {
      by: caller,
      tenant: name?.tenant || caller.tenant,
      operation: name?.operation,
      key: name?.idempotencyKey,
      fencingToken: String(fencingToken),
      resolution: resolution.case,
      reason,
    };
    log.warn(asked, "an operator asks to end a key");
    try {
      const response = await resolveKey(request, context);
      const { record } = response;
      // By now a caller may have it again: the state is what it is then.
      const state = record?.state && RecordState[record.state];
      log.warn({ ...asked, state }, "the key was ended");
      return response;
    } catch (error) {
      if (error instanceof CallError) {
        const { reason: refusal, message } = error.description;
        log.warn({ ...asked, refusal, message }, "the key was not ended: the operator was refused");
      } else {
        log.error({ ...asked, err: error }, "it is not known whether the key was ended");
      }
      throw error;
    }
  };
}
