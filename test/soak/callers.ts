import type { Writes } from "../invariants/client-log.js";
import type { Random } from "../support/random.js";
import { type Asked, askUntilDefinite } from "./caller.js";
import { createGate } from "./gate.js";
import type { Intent, Request } from "./intents.js";

/** All who ask the services for something, and what they are told. */
export interface Callers {
  /** Asks until the answer is definite, and notes it down. */
  ask(intent: Intent, request: Request, random: Random): Promise<Asked>;
  /** Asks once, and notes nothing down. Also while the others pause. */
  askOnce(request: Request, random: Random): Promise<Asked>;
  /** How many have begun to ask. */
  calls(): number;
  /** How often each code or reason was met. */
  readonly attemptsByReason: ReadonlyMap<string, number>;
  /** Begins no further attempt. */
  pause(): void;
  resume(): void;
  /** Resolves while attempts may begin. */
  passed(): Promise<void>;
  /** Resolves once no attempt for such an intent is on its way that began before now. */
  landed(isMeant: (intent: Intent) => boolean): Promise<void>;
  /** Resolves once all callers have given up. */
  giveUp(): Promise<void>;
}

export function createCallers(services: readonly Writes[]): Callers {
  const gate = createGate();
  const attemptsByReason = new Map<string, number>();
  const asking = new Set<Promise<Asked>>();
  const onTheWay = new Map<Promise<unknown>, Intent>();
  let calls = 0;
  let isStopped = false;

  function count({ result, refusal }: Asked): string {
    const reason = refusal?.reason ?? `code ${result.code}`;
    attemptsByReason.set(reason, (attemptsByReason.get(reason) ?? 0) + 1);
    return reason;
  }

  return {
    ask(intent, request, random) {
      calls += 1;
      intent.asking += 1;
      const ended = askUntilDefinite(
        {
          services,
          random,
          mayAsk: gate.passed,
          isStopped: () => isStopped || intent.isGivenUp,
          onAttempt(asked) {
            intent.lastReason = count(asked);
          },
        },
        (service) => {
          const attempt = request.send(service).finally(() => onTheWay.delete(attempt));
          onTheWay.set(attempt, intent);
          return attempt;
        },
      ).then((asked) => {
        intent.told.push({ request, asked, atMs: performance.now() });
        intent.asking -= 1;
        asking.delete(ended);
        return asked;
      });
      asking.add(ended);
      return ended;
    },

    askOnce: ({ send }, random) =>
      askUntilDefinite(
        {
          services,
          random,
          mayAsk: async () => {},
          isStopped: () => true,
          onAttempt: count,
        },
        send,
      ),

    calls: () => calls,
    attemptsByReason,
    pause: gate.close,
    resume: gate.open,
    passed: gate.passed,

    async landed(isMeant) {
      await Promise.all(
        [...onTheWay].flatMap(([attempt, intent]) => (isMeant(intent) ? [attempt] : [])),
      );
    },

    async giveUp() {
      isStopped = true;
      await Promise.all(asking);
    },
  };
}
