import type { Money } from "./money.js";
import type { Operated } from "./operation.js";

/** The processor's decision. Both kinds are final for their processor key. */
export type ProcessorDecision =
  | { readonly kind: "approved" }
  | { readonly kind: "declined"; readonly declineCode: string };

/** Names the effect for good: the processor does it at most once, and repeats its answer. */
export interface ProcessorRequest {
  readonly processorKey: string;
  readonly paymentId: string;
}

export interface AmountRequest extends ProcessorRequest {
  readonly amount: Money;
}

export interface AuthorizeRequest extends AmountRequest {
  /** The token of a payment method. */
  readonly paymentMethod: string;
  /** Take the money in the same effect. */
  readonly capture: boolean;
}

/** The effect that the processor knows under a key. */
export interface ProcessorEffect {
  readonly decision: ProcessorDecision;
  /** Absent where the processor does not say. */
  readonly amount?: Money;
}

/**
 * A card processor that honours keys. Every method bounds its own time, and
 * rejects for everything but a decision: with ProcessorRefused where it says of
 * itself that this very call does nothing. Any other rejection means that it may
 * have acted or not: a timeout or a broken connection may hide an effect.
 */
export interface Processor {
  authorize(request: AuthorizeRequest): Promise<ProcessorDecision>;
  capture(request: AmountRequest): Promise<ProcessorDecision>;
  void(request: ProcessorRequest): Promise<ProcessorDecision>;
  refund(request: AmountRequest): Promise<ProcessorDecision>;
  /** Looks up the effect of a key. Undefined proves nothing: a call may still be on its way. */
  lookUp(processorKey: string): Promise<ProcessorEffect | undefined>;
}

/** The processor refuses the call for good. An earlier call under the key may have acted. */
export class ProcessorRefused extends Error {
  override readonly name = "ProcessorRefused";

  constructor(
    /**
     * - `invalid`: the processor accepts no such request, whatever its key has done
     * - `key_reused`: its key has done something else, or the same for another amount
     */
    readonly refusal: "invalid" | "key_reused",
    detail: string,
  ) {
    super(`the processor refuses the call: ${detail}`);
  }
}

/** The processor was asked, and may have acted or not. */
export class ProcessorUnknown extends Error {
  override readonly name = "ProcessorUnknown";

  constructor(cause: unknown) {
    const detail = cause instanceof Error ? cause.message : String(cause);
    super(`the processor's answer is not known: ${detail}`, { cause });
  }
}

/** Sends an operation to the processor, from what is stored alone, so that every attempt sends the same. */
export async function send(
  processor: Processor,
  { operation, payment }: Operated,
): Promise<ProcessorDecision> {
  const { processorKey, paymentId, currencyCode, minorUnits } = operation;
  const amount = { currencyCode, minorUnits };
  switch (operation.kind) {
    case "create":
      return processor.authorize({
        processorKey,
        paymentId,
        amount,
        paymentMethod: payment.paymentMethod,
        capture: payment.captureMethod === "AUTOMATIC",
      });
    case "capture":
      return processor.capture({ processorKey, paymentId, amount });
    case "cancel":
      return processor.void({ processorKey, paymentId });
    case "refund":
      return processor.refund({ processorKey, paymentId, amount });
  }
}
