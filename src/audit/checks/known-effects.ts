import { timestampDate } from "@bufbuild/protobuf/wkt";
import { type Check, checkEach } from "../check.js";

/**
 * An operation is stored before the processor is asked, and the first part of
 * the journal was read before the database: an effect in it without a row is no
 * matter of timing. Only rows lost with a database that was restored come back
 * later, with the next retry. An operator who took for not executed what was
 * executed leaves one too. The effect's age is by the processor's clock.
 */
export const knownEffects: Check = {
  id: "I6",
  title: "every effect of the processor has its operation",
  needsCalls: false,
  check: ({ effects, settledSequence, now, boundMs, operationsByProcessorKey }) =>
    checkEach(
      effects.filter(
        ({ sequence, createTime }) =>
          sequence <= settledSequence &&
          (createTime === undefined ||
            timestampDate(createTime).getTime() + boundMs <= now.getTime()),
      ),
      ({ sequence, paymentId }) => `effect ${sequence} on payment ${paymentId}`,
      function* ({ processorKey }) {
        const operations = operationsByProcessorKey.get(processorKey);
        if (operations === undefined) {
          yield `has no operation with its processor key ${processorKey}`;
        } else if (operations.every(({ state }) => state === "not_executed")) {
          yield `has an operation that was ended as not executed, with its processor key ${processorKey}`;
        }
      },
    ),
};
