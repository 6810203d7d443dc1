import { type DescMethod, getOption } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { idempotency } from "./gen/payonce/idempotency/v1/options_pb.js";

/**
 * Returns true if a call of a protected service's method needs a key: every method
 * does, also without the option, unless it has no side effects, or its option
 * says `{required: false}`. Servers and clients go by it, in every language.
 */
export function requiresKey(method: DescMethod): boolean {
  return (
    method.idempotency !== MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS &&
    (getOption(method, idempotency).required ?? true)
  );
}
