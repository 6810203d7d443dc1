import { CallError } from "../../../src/idempotency/answers/errors.js";

/** The reason and the field of the error that a request is refused with. */
export function refusalOf(read: () => unknown): readonly [string, string | undefined] | undefined {
  try {
    read();
    return undefined;
  } catch (error) {
    if (!(error instanceof CallError)) {
      throw error;
    }
    return [error.description.reason, error.description.field];
  }
}
