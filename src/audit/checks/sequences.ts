import { type Check, checkEach } from "../check.js";

/** What a sequence behind its table gives out next is there already, or comes before what readers have seen. */
export const sequences: Check = {
  id: "I13",
  title: "every sequence stands past the rows that it numbers",
  needsCalls: false,
  check: (facts) =>
    checkEach(
      facts.sequences,
      ({ sequence }) => `sequence ${sequence}`,
      function* ({ last, highest, table }) {
        if (last < highest) {
          yield `stands at ${last}, behind ${highest} in ${table}`;
        }
      },
    ),
};
