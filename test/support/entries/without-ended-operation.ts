import { createResolver } from "../../../src/server/resolution.js";
import { serveWith } from "./serve-with.js";

// A service that gives a key free without ending the operation behind it.
await serveWith({
  resolver: (options) => {
    const { store, defaults } = options;
    const resolve = createResolver(options);
    return async (scope, held) => {
      if (held.resolution.kind !== "not_executed") {
        return resolve(scope, held);
      }
      const { leaseMs } = defaults;
      const taken = await store.reclaim(scope, { ...held, leaseMs });
      return taken !== undefined && (await store.reopen(taken.claim))
        ? { kind: "resolved" }
        : { kind: "changed" };
    };
  },
});
