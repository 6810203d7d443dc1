import { setTimeout as sleep } from "node:timers/promises";
import {
  type Record as HeldRecord,
  RecordState,
} from "../../src/gen/payonce/idempotency/v1/inspection_pb.js";
import { createLock } from "../support/lock.js";
import { type ResolutionKind, resolve } from "../support/operators/operator.js";
import { openPayments } from "../support/payments/payments-client.js";
import { createRandom } from "../support/random.js";
import { createHeldKeys, type HeldKey } from "./held-keys.js";
import { type Intent, nameOf } from "./intents.js";
import type { Journal } from "./journal.js";
import type { Traffic } from "./traffic.js";
import { createWords, type NextCall } from "./words.js";

/** How often the list of held keys is looked at. Milliseconds. */
const INTERVAL_MS = 1_000;

/** Held keys that are ended at once: a few, as people would. */
const AT_ONCE = 8;

/** Until a held key is ended, however often a service dies meanwhile. Milliseconds. */
const END_LIMIT_MS = 90_000;
const POLL_MS = 250;

/** Ends held keys as the processor's journal says, each in one of the ways that are true. */
export interface Operator {
  /** How often each resolution was followed by each call. */
  readonly resolutions: ReadonlyMap<string, number>;
  /** Keys whose window was over, by their names. */
  readonly endedWindows: ReadonlySet<string>;
  /** Runs with the operator away. */
  withoutOperator<Result>(work: () => Promise<Result>): Promise<Result>;
  /**
   * Ends the held keys of which it is known already what came of them: those that
   * the processor has an effect of, and those that were ended before a restore.
   */
  endKnown(): Promise<void>;
  /** From now on no key is to be executed again, and nothing is broken any more. */
  finish(): void;
  stop(): Promise<void>;
}

export interface OperatorOptions {
  readonly targets: readonly string[];
  readonly traffic: Traffic;
  readonly journal: Journal;
  readonly seed: number;
  readonly onProblem: (problem: string) => void;
}

export function startOperator(options: OperatorOptions): Operator {
  const { traffic, journal, seed, onProblem } = options;
  const clients = options.targets.map((target) => openPayments(target));
  const random = createRandom(seed + 0x0e);
  const lock = createLock();
  const words = createWords({ random, journal });
  const held = createHeldKeys({ traffic, onProblem });
  let isStopped = false;

  const client = () => random.pick(clients);

  async function look(): Promise<void> {
    const ready = (await held.read(client())).filter(({ isSettled }) => isSettled);
    await Promise.all(ready.slice(0, AT_ONCE).map(end));
  }

  async function end({ record, intent }: HeldKey): Promise<void> {
    await journal.refresh();
    const word = words.draw(intent);
    const { kind, next } = word;
    if (next !== "the same request") {
      intent.isGivenUp = true;
      await until(async () => intent.asking === 0);
    }
    if (await isEnded(record, intent, kind)) {
      words.note(intent, word);
      await follow(intent, next);
    }
  }

  /** Says it until it is so. */
  async function isEnded(
    record: HeldRecord,
    intent: Intent,
    kind: ResolutionKind,
  ): Promise<boolean> {
    let message = "";
    const ended = await until(async () => {
      const said = await say(record, kind);
      message = said.message;
      return said.isEnded;
    });
    if (!ended) {
      onProblem(`${nameOf(intent)}: not ended with ${kind}: ${message}`);
    }
    return ended;
  }

  /** Says it once. */
  async function say(
    { operation, idempotencyKey }: HeldRecord,
    kind: ResolutionKind,
  ): Promise<{ readonly isEnded: boolean; readonly message: string }> {
    const service = client();
    const { response } = await service.getRecord({ name: { operation, idempotencyKey } });
    const record = response?.record;
    if (record?.state === RecordState.HELD) {
      const resolved = await resolve(service, record, kind);
      return { isEnded: resolved.response !== undefined, message: resolved.message };
    }
    const isOver =
      record?.state === RecordState.COMPLETED || record?.state === RecordState.RELEASED;
    return { isEnded: isOver, message: `state ${record?.state}` };
  }

  async function follow(intent: Intent, next: NextCall): Promise<void> {
    switch (next) {
      case "the same request":
        if (intent.asking === 0) {
          traffic.askAgain(intent);
        }
        return;
      case "another request": {
        let reason = "";
        await until(async () => {
          const asked = await traffic.callers.askOnce(intent.other, random);
          reason = asked.refusal?.reason ?? `code ${asked.result.code}`;
          return asked.isDefinite;
        });
        if (reason !== "IDEMPOTENCY_KEY_REUSED") {
          onProblem(`${nameOf(intent)}: another request was answered with ${reason}`);
        }
        return;
      }
      case "another operation":
        return traffic.follow(intent);
      case "nobody":
        return;
    }
  }

  async function run(): Promise<void> {
    while (!isStopped) {
      await sleep(INTERVAL_MS);
      await lock.exclusively(look);
    }
  }

  const running = run();
  return {
    resolutions: words.said,
    endedWindows: held.endedWindows,
    withoutOperator: (work) => lock.exclusively(work),
    async endKnown() {
      await journal.refresh();
      const isKnown = ({ intent, isSettled }: HeldKey) =>
        journal.effectsOf(intent.processorKey).length > 0 || (isSettled && words.wasSaidOf(intent));
      const known = (await held.read(client())).filter(isKnown);
      await Promise.all(
        known.slice(0, AT_ONCE).map(async ({ record, intent }) => {
          const { kind } = words.draw(intent);
          // It may build on a call that has not come again yet: the next look says it once more.
          if ((await say(record, kind)).isEnded) {
            words.note(intent, { kind, next: "the same request" });
          }
        }),
      );
    },
    finish() {
      words.finish();
      held.finish();
    },
    async stop() {
      isStopped = true;
      await running;
      for (const each of clients) {
        each.close();
      }
    },
  };
}

/** Whether the condition came to hold within the limit. */
async function until(condition: () => Promise<boolean>): Promise<boolean> {
  const giveUpAtMs = performance.now() + END_LIMIT_MS;
  while (!(await condition())) {
    if (performance.now() > giveUpAtMs) {
      return false;
    }
    await sleep(POLL_MS);
  }
  return true;
}
