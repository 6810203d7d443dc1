import { serveWith } from "./serve-with.js";

/** Payments after which the service stands still once, and after which it ends. */
const STILL_AFTER = 50;
const ENDS_AFTER = 100;

const STILL_MS = 2_000;

let payments = 0;

// A service whose event loop callers can stop, which charges under other keys than it says, and
// which callers can end: a run of attacks must show each of it.
await serveWith({
  processor: (processor) => ({
    ...processor,
    async authorize(request) {
      payments += 1;
      if (payments === STILL_AFTER) {
        const end = performance.now() + STILL_MS;
        while (performance.now() < end) {
          // nobody else is served
        }
      }
      if (payments === ENDS_AFTER) {
        setImmediate(() => {
          throw new Error("nobody catches this");
        });
      }
      return processor.authorize({ ...request, processorKey: `${request.processorKey}_again` });
    },
  }),
});
