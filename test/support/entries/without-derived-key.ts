import { randomUUID } from "node:crypto";
import type { ProcessorRequest } from "../../../src/payments/processor.js";
import { serveWith } from "./serve-with.js";

// A service that asks the processor under another key with each attempt.
await serveWith({
  processor: ({ authorize, capture, void: cancel, refund, ...processor }) => ({
    ...processor,
    authorize: (request) => authorize(renamed(request)),
    capture: (request) => capture(renamed(request)),
    void: (request) => cancel(renamed(request)),
    refund: (request) => refund(renamed(request)),
  }),
});

function renamed<Request extends ProcessorRequest>(request: Request): Request {
  return { ...request, processorKey: `pk_${randomUUID()}` };
}
