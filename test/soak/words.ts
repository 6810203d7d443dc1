import type { ResolutionKind } from "../support/operators/operator.js";
import type { Random } from "../support/random.js";
import type { Intent } from "./intents.js";
import type { Journal } from "./journal.js";

/** What happens with a key, or its payment, once an operator has ended it. */
const nextCalls = ["the same request", "another request", "another operation", "nobody"] as const;
export type NextCall = (typeof nextCalls)[number];

export interface Word {
  readonly kind: ResolutionKind;
  readonly next: NextCall;
}

/** What an operator says of held keys. */
export interface Words {
  /** Something that is true by the journal as it is now, and what is to follow. */
  draw(intent: Intent): Word;
  /** Whether something was said of it before: a restore may have lost that. */
  wasSaidOf(intent: Intent): boolean;
  /** It is so now. */
  note(intent: Intent, word: Word): void;
  /** How often each was said. */
  readonly said: ReadonlyMap<string, number>;
  /** From now on nothing is to be executed again. */
  finish(): void;
}

export function createWords({
  random,
  journal,
}: {
  readonly random: Random;
  readonly journal: Journal;
}): Words {
  const said = new Map<string, number>();
  const failed = new Set<string>();
  const reopened = new Set<string>();
  let isFinishing = false;

  /** What was said of a key once stays so, also where a restore has lost it. */
  function drawKind({ processorKey }: Intent): ResolutionKind {
    if (journal.effectsOf(processorKey).length > 0) {
      return "response";
    }
    const kind = random.pick(["error", "not_executed"] as const);
    return wasSaidOf({ processorKey }) ? "error" : kind;
  }

  function wasSaidOf({ processorKey }: Pick<Intent, "processorKey">): boolean {
    return failed.has(processorKey) || reopened.has(processorKey);
  }

  function drawNext({ isGivenUp, isContested }: Intent, kind: ResolutionKind): NextCall {
    const mayAskAgain = !isGivenUp && !(isFinishing && kind === "not_executed");
    return random.pick([
      ...(mayAskAgain ? nextCalls.slice(0, 1) : []),
      // Which of two requests the key stands for, nobody knows.
      ...(isContested ? [] : nextCalls.slice(1, 2)),
      ...nextCalls.slice(2),
    ]);
  }

  return {
    draw(intent) {
      const kind = drawKind(intent);
      return { kind, next: drawNext(intent, kind) };
    },
    wasSaidOf,
    note({ processorKey }, { kind, next }) {
      const name = `${kind}, then ${next}`;
      said.set(name, (said.get(name) ?? 0) + 1);
      if (kind === "error") {
        failed.add(processorKey);
      } else if (kind === "not_executed") {
        reopened.add(processorKey);
      }
    },
    said,
    finish() {
      isFinishing = true;
    },
  };
}
