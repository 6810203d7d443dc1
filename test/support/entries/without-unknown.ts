import type { ProcessorDecision } from "../../../src/payments/processor.js";
import { serveWith } from "./serve-with.js";

// A service that knows no unknown outcome: whatever is no answer of the
// processor's, it takes for a call that was not executed.
await serveWith({
  processor: ({ authorize, capture, void: cancel, refund, ...processor }) => ({
    ...processor,
    authorize: (request) => authorize(request).catch(guess),
    capture: (request) => capture(request).catch(guess),
    void: (request) => cancel(request).catch(guess),
    refund: (request) => refund(request).catch(guess),
  }),
});

function guess(): ProcessorDecision {
  return { kind: "declined", declineCode: "not_executed" };
}
