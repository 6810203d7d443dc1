import { type Check, checkEach, recordText } from "../check.js";

/**
 * An attempt past the bound does nothing but park its key. While it does, which
 * takes moments, and while an operator ends the key, the audit reports it too.
 */
export const boundedAttempts: Check = {
  id: "I15",
  title: "no key is executed more often than the bound: it is parked then",
  needsCalls: false,
  check: ({ records, maxAttempts }) =>
    checkEach(records, recordText, function* ({ state, attempts }) {
      if (state === "executing" && attempts > maxAttempts) {
        yield `is executing in attempt ${attempts}, of at most ${maxAttempts}`;
      }
    }),
};
