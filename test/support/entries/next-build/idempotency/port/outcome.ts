import { toBinary } from "@bufbuild/protobuf";
import { StoredOutcomeSchema } from "../../../../../../src/gen/payonce/idempotency/v1/outcome_pb.js";
import { type Outcome, toStoredOutcome } from "../../../../../../src/idempotency/port/outcome.js";
import { fillNote } from "../../../../next-build/next-build-note.js";

export * from "../../../../../../src/idempotency/port/outcome.js";

export function encodeOutcome(outcome: Outcome): Uint8Array {
  return toBinary(StoredOutcomeSchema, fillNote(StoredOutcomeSchema, toStoredOutcome(outcome)));
}
