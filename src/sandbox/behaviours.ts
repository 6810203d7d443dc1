import { Code } from "@connectrpc/connect";

/** An event that interrupts a call, besides its decision. */
export type Interruption =
  | { readonly kind: "wait"; readonly delayMs: number }
  /** Ends the call without a reply. */
  | { readonly kind: "drop" }
  /** Answers with an error status. */
  | { readonly kind: "fail"; readonly code: Code }
  /** Leaves the call open until the client gives up. */
  | { readonly kind: "never" };

/** The way in which one call is served. */
export interface Behaviour {
  /** The key is forgotten first, with all that it was answered. */
  readonly forgetsKey?: true;
  readonly before: readonly Interruption[];
  readonly declineCode?: string;
  readonly after: readonly Interruption[];
}

/** Decides and answers. */
export const PLAIN: Behaviour = { before: [], after: [] };

const SLOW_DELAY_MS = 3_000;

// One more than a single retry covers.
const UNREACHABLE_CALLS = 2;

/**
 * Returns the way in which a payment method wants a call served whose key is not decided yet.
 *
 * @param calls how many calls the key has had, this one included
 */
export function tokenBehaviour(paymentMethod: string, calls: number): Behaviour {
  switch (paymentMethod) {
    case "tok_visa":
      return PLAIN;
    case "tok_declined":
      return { ...PLAIN, declineCode: "declined" };
    case "tok_insufficient_funds":
      return { ...PLAIN, declineCode: "insufficient_funds" };
    case "tok_slow":
      return { ...PLAIN, before: [{ kind: "wait", delayMs: SLOW_DELAY_MS }] };
    case "tok_drop_reply":
      return { ...PLAIN, after: [{ kind: "drop" }] };
    case "tok_error_after_charge":
      return { ...PLAIN, after: [{ kind: "fail", code: Code.Internal }] };
    case "tok_unreachable":
      return calls <= UNREACHABLE_CALLS ? { ...PLAIN, before: [{ kind: "drop" }] } : PLAIN;
    case "tok_never":
      return { ...PLAIN, before: [{ kind: "never" }] };
    default:
      return { ...PLAIN, declineCode: "unknown_payment_method" };
  }
}
