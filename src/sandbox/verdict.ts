import type { Effect } from "../gen/payonce/sandbox/v1/sandbox_pb.js";
import type { EffectRequest } from "./effect-request.js";

/** The final answer of a processor key. */
export type Verdict =
  | { readonly kind: "approved"; readonly effect: Effect }
  | { readonly kind: "declined"; readonly decline: DeclinedRequest };

export interface DeclinedRequest {
  readonly request: EffectRequest;
  readonly declineCode: string;
  /** The newest effect when it was declined: which came last, where one key has both. */
  readonly afterSequence: bigint;
}

export function requestOf(verdict: Verdict): EffectRequest {
  return verdict.kind === "approved" ? verdict.effect : verdict.decline.request;
}
