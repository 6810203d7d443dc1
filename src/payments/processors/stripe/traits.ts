import type { ProcessorTraits } from "../../processor.js";

/**
 * docs.stripe.com/api/idempotent_requests: keys of up to 255 characters are kept for at least 24
 * hours with the first answer, errors and 500s among them; other parameters are refused, and so
 * is a key whose first call is under way. What Stripe keeps nothing of (a parameter that is not
 * valid, a call that met another one) did nothing.
 */
export function stripeTraits({
  multicapture,
  searchLagMs,
}: {
  readonly multicapture: boolean;
  readonly searchLagMs: number;
}): ProcessorTraits {
  return {
    name: "stripe",
    keys: {
      windowMs: 24 * 3_600_000,
      maxLength: 255,
      otherRequest: "refused",
      inFlight: "refused",
      repetition: "first_answer",
      keepsErrors: "all",
    },
    // By the reference of its authorization an effect is seen at once; without one by a list that
    // may be too long, and then by the search.
    lookUp: { visibleAfterMs: searchLagMs },
    capturesInParts: multicapture,
  };
}
