/**
 * Runs a step of the start that depends on a setting. Where it fails, each line
 * of the error names the setting.
 */
export async function withErrorPrefix<Result>(
  variable: string,
  step: () => Result | Promise<Result>,
): Promise<Result> {
  try {
    return await step();
  } catch (error) {
    throw new Error(reasonOf(error).replaceAll(/^/gm, `${variable}: `), { cause: error });
  }
}

/** Returns the message of an error, in one or more lines. */
export function reasonOf(error: unknown): string {
  // A host with several addresses: the error for all of them has no message of its own.
  if (error instanceof AggregateError && error.message === "") {
    return error.errors.map(reasonOf).join("; ");
  }
  return error instanceof Error ? error.message : String(error);
}
