import { ClaimLost } from "../answers/errors.js";
import { okOutcome } from "../port/outcome.js";
import type { Completion } from "../port/store.js";
import type { Execution } from "./call.js";

/**
 * Holds the claims of many executions until the transaction ends, in one
 * statement, and says by position which still own theirs.
 */
export async function ownWithin<Transaction>(
  transaction: Transaction,
  executions: readonly Execution<Transaction>[],
): Promise<readonly boolean[]> {
  const claims = executions.map(({ ownership }) => ownership.claim);
  return storeOf(executions).ownWithin(transaction, claims);
}

/** An OK with a serialized response message, to be stored for an execution. */
export interface Answer<Transaction> {
  readonly execution: Execution<Transaction>;
  readonly body: Uint8Array;
}

/**
 * Stores the answers of many executions in one statement, in the commit of the
 * work that they describe.
 * @throws ClaimLost if another owner has one of the claims: nothing may be committed then.
 */
export async function completeWithin<Transaction>(
  transaction: Transaction,
  answers: readonly Answer<Transaction>[],
): Promise<void> {
  if (answers.length === 0) {
    return;
  }
  const store = storeOf(answers.map(({ execution }) => execution));
  const written = await store.completeWithin(transaction, answers.map(completionOf));
  if (written.some((isWritten) => !isWritten)) {
    throw new ClaimLost();
  }
  for (const { execution, body } of answers) {
    execution.ownership.onWritten(okOutcome(body));
  }
}

/** What is stored of an answer. */
function completionOf<Transaction>({
  execution: { ownership },
  body,
}: Answer<Transaction>): Completion {
  const { claim, retentionMs } = ownership;
  return { claim, outcome: okOutcome(body), retentionMs };
}

/** The store of all executions. @throws if there is none, or more than one. */
function storeOf<Transaction>(executions: readonly Execution<Transaction>[]) {
  const [store, ...others] = new Set(executions.map(({ ownership }) => ownership.store));
  if (store === undefined || others.length > 0) {
    throw new Error("the executions of one transaction must have one store");
  }
  return store;
}
