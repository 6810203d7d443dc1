import { setTimeout as sleep } from "node:timers/promises";
import {
  CaptureMethod,
  type Payment,
  PaymentStatus,
} from "../../src/gen/payonce/payments/v1/payments_pb.js";
import { type ClientLog, createClientLog } from "../invariants/client-log.js";
import { openPayments } from "../support/payments/payments-client.js";
import { createRandom, type Random } from "../support/random.js";
import { type Callers, createCallers } from "./callers.js";
import { answerTo, type Intent, requestOf } from "./intents.js";
import type { Journal } from "./journal.js";
import { CLIENTS } from "./settings.js";
import { cancelOf, captureOf, creationOf, refundOf } from "./wishes.js";

/** A client thinks up to this long between two payments. Milliseconds. */
const MAX_THINK_MS = 400;

/** A client goes on to its next payment after this long; what it asked for is asked on. */
const PATIENCE_MS = 6_000;

const DUPLICATE_PART = 0.2;
const CHANGED_PART = 0.03;

/** How often an answer from before is asked for again. */
const LATE_DUPLICATE_PART = 0.05;

/** How often each payment method comes, of 1,000. */
const paymentMethods = {
  tok_visa: 700,
  tok_declined: 50,
  tok_insufficient_funds: 30,
  tok_slow: 30,
  tok_drop_reply: 60,
  tok_error_after_charge: 60,
  tok_unreachable: 50,
  tok_never: 5,
  tok_of_nobody: 15,
};
const weightedMethods = Object.entries(paymentMethods).flatMap(([name, weight]) =>
  Array.from({ length: weight }, () => name),
);

export interface Traffic {
  readonly intents: readonly Intent[];
  readonly log: ClientLog;
  readonly callers: Callers;
  /** The intent of a key. */
  find(operation: string, key: string): Intent | undefined;
  /** Wants one more operation on the intent's payment, until its answer is definite. */
  follow(intent: Intent): void;
  /** Asks for the intent's answer, with the request that its key stands for. */
  askAgain(intent: Intent): void;
  /** Forgets what was told from this time on, and asks for it again. Milliseconds; returns how many answers. */
  forget(fromMs: number): number;
  /** Begins no more payments. Resolves once no client begins anything. */
  end(): Promise<void>;
  /** Callers that have no definite answer yet. */
  asking(): readonly Intent[];
  close(): void;
}

/** Lets clients make payments, one after the other, each with all that can follow. */
export function startTraffic(
  targets: readonly string[],
  { seed, journal }: { readonly seed: number; readonly journal: Journal },
): Traffic {
  const clients = targets.map((target) => openPayments(target));
  const log = createClientLog();
  const callers = createCallers(clients.map((client) => log.on(client)));
  const intents: Intent[] = [];
  const byScope = new Map<string, Intent>();
  const laterRandom = createRandom(seed - 1);
  let isEnding = false;

  function note(intent: Intent): Intent {
    intents.push(intent);
    byScope.set(scopeText(intent.scope.operation, intent.scope.key), intent);
    return intent;
  }

  function askAgain(intent: Intent): void {
    const request = requestOf(intent, journal.effectsOf(intent.processorKey));
    void callers.ask(intent, request, laterRandom);
  }

  /** Asks for something, sometimes several times at once, and sometimes for something else too. */
  async function want(intent: Intent, random: Random): Promise<Payment | undefined> {
    await callers.passed();
    note(intent);
    const first = callers.ask(intent, intent.request, random);
    if (random.chance(DUPLICATE_PART)) {
      void callers.ask(intent, intent.request, random);
    }
    if (intent.isContested) {
      void callers.ask(intent, intent.other, random);
    }
    const asked = await Promise.race([first, sleep(PATIENCE_MS, undefined, { ref: false })]);
    return asked?.result.response?.payment;
  }

  async function pay(key: string, random: Random): Promise<void> {
    const terms = {
      minorUnits: BigInt(random.integer(100, 10_000)),
      paymentMethod: random.pick(weightedMethods),
      captureMethod: random.chance(0.4) ? CaptureMethod.MANUAL : CaptureMethod.AUTOMATIC,
    };
    const isContested = random.chance(CHANGED_PART);
    const created = await want(creationOf(key, terms, { isContested }), random);
    const captured =
      created?.status === PaymentStatus.AUTHORIZED ? await capture(key, random, created) : created;
    if (captured?.status === PaymentStatus.CAPTURED && random.chance(0.4)) {
      await refund(key, random, captured);
    }
  }

  /** Captures it, wholly or in two parts at once, or cancels it, or lets the two race. */
  async function capture(
    key: string,
    random: Random,
    { id, amount }: Payment,
  ): Promise<Payment | undefined> {
    const take = (name: string, minorUnits?: bigint) =>
      want(captureOf(`${key}-${name}`, id, minorUnits), random);
    const cancel = () => want(cancelOf(`${key}-cancel`, id), random);
    const half = (amount?.minorUnits ?? 0n) / 2n;
    switch (random.integer(1, 6)) {
      case 1:
        return cancel();
      case 2:
        return (await Promise.all([take("capture"), cancel()]))[0];
      case 3:
        return (await Promise.all([take("half", half), take("other", half)]))[0];
      case 4:
        await take("half", half);
        return take("rest");
      default:
        return take("capture");
    }
  }

  /** Refunds a part, or lets two refunds race for more than there is. */
  async function refund(key: string, random: Random, { id, amount }: Payment): Promise<void> {
    const give = (name: string, minorUnits: bigint) =>
      want(refundOf(`${key}-${name}`, id, minorUnits), random);
    const most = amount?.minorUnits ?? 1n;
    if (random.chance(0.3)) {
      await Promise.all([give("refund", most), give("race", most)]);
    } else {
      await give("refund", most / 3n + 1n);
    }
  }

  async function run(client: number): Promise<void> {
    const random = createRandom(seed + client);
    for (let payment = 0; !isEnding; payment += 1) {
      await sleep(random.integer(0, MAX_THINK_MS));
      await pay(`soak-${seed}-${client}-${payment}`, random);
      const earlier = random.pick(intents);
      const answer = answerTo(earlier);
      if (answer !== undefined && random.chance(LATE_DUPLICATE_PART)) {
        await callers.ask(earlier, answer.request, random);
      }
    }
  }

  const running = Array.from({ length: CLIENTS }, (_, client) => run(client));
  return {
    intents,
    log,
    callers,
    find: (operation, key) => byScope.get(scopeText(operation, key)),

    follow({ scope, paymentId }) {
      const key = `${scope.key}-after-${intents.length}`;
      const make = laterRandom.pick([
        () => captureOf(key, paymentId),
        () => cancelOf(key, paymentId),
        () => refundOf(key, paymentId, 1n),
      ]);
      askAgain(note(make()));
    },

    askAgain,

    forget(fromMs) {
      let forgotten = 0;
      for (const intent of intents) {
        const wasAnswered = answerTo(intent) !== undefined;
        const request = requestOf(intent, journal.effectsOf(intent.processorKey));
        const kept = intent.told.filter(({ atMs }) => atMs < fromMs);
        const isForgotten = kept.length < intent.told.length;
        intent.told = kept;
        if (!isForgotten || intent.isGivenUp || answerTo(intent) !== undefined) {
          continue;
        }
        forgotten += wasAnswered ? 1 : 0;
        if (wasAnswered || intent.asking === 0) {
          void callers.ask(intent, request, laterRandom);
        }
      }
      return forgotten;
    },

    async end() {
      isEnding = true;
      await Promise.all(running);
    },
    asking: () => intents.filter((intent) => intent.asking > 0),
    close() {
      for (const client of clients) {
        client.close();
      }
    },
  };
}

function scopeText(operation: string, key: string): string {
  return `${operation} ${key}`;
}
