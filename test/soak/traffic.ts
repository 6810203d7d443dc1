import { setTimeout as sleep } from "node:timers/promises";
import {
  CaptureMethod,
  type Payment,
  PaymentService,
  PaymentStatus,
} from "../../src/gen/payonce/payments/v1/payments_pb.js";
import { type ClientLog, createClientLog } from "../invariants/client-log.js";
import { createRandom, type Random } from "../simulation/random.js";
import { eur, openPayments } from "../support/payments-client.js";
import { type Asked, askUntilDefinite, type Send } from "./caller.js";
import { answerTo, type Intent } from "./intents.js";
import { CLIENTS } from "./settings.js";

/** A client thinks up to this long between two payments. Milliseconds. */
const MAX_THINK_MS = 400;

/** A client goes on to its next payment after this long; what it asked for is asked on. */
const PATIENCE_MS = 6_000;

const DUPLICATE_PART = 0.2;
const CHANGED_PART = 0.03;

/** How often an answer from before is asked for again. */
const LATE_DUPLICATE_PART = 0.05;

const TENANT = "default";

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
  /** How often each code or reason was met. */
  readonly attemptsByReason: ReadonlyMap<string, number>;
  /** Begins no more payments. Resolves once no client begins anything. */
  end(): Promise<void>;
  /** Callers that have no definite answer yet. */
  asking(): readonly Intent[];
  /** Makes them give up. Resolves once they have. */
  giveUp(): Promise<void>;
  close(): void;
}

/** Lets clients make payments, one after the other, each with all that can follow. */
export function startTraffic(targets: readonly string[], seed: number): Traffic {
  const clients = targets.map((target) => openPayments(target));
  const log = createClientLog();
  const services = clients.map((client) => log.on(client));
  const intents: Intent[] = [];
  const attemptsByReason = new Map<string, number>();
  const asking = new Set<Promise<Asked>>();
  let isEnding = false;
  let isStopped = false;

  function ask(intent: Intent, send: Send, random: Random): Promise<Asked> {
    intent.asking += 1;
    const ended = askUntilDefinite(
      {
        services,
        random,
        isStopped: () => isStopped,
        onAttempt({ result, refusal }) {
          const reason = refusal?.reason ?? `code ${result.code}`;
          intent.lastReason = reason;
          attemptsByReason.set(reason, (attemptsByReason.get(reason) ?? 0) + 1);
        },
      },
      send,
    ).then((asked) => {
      intent.told.push({ send, asked });
      intent.asking -= 1;
      asking.delete(ended);
      return asked;
    });
    asking.add(ended);
    return ended;
  }

  /** Asks for something, sometimes several times at once, and sometimes for something else too. */
  async function want(
    intent: Intent,
    random: Random,
    { send, changed }: { readonly send: Send; readonly changed?: Send },
  ): Promise<Payment | undefined> {
    intents.push(intent);
    const first = ask(intent, send, random);
    if (random.chance(DUPLICATE_PART)) {
      void ask(intent, send, random);
    }
    if (changed !== undefined && random.chance(CHANGED_PART)) {
      void ask(intent, changed, random);
    }
    const asked = await Promise.race([first, sleep(PATIENCE_MS, undefined, { ref: false })]);
    return asked?.result.response?.payment;
  }

  async function pay(key: string, random: Random): Promise<void> {
    const amount = BigInt(random.integer(100, 10_000));
    const paymentMethod = random.pick(weightedMethods);
    const captureMethod = random.chance(0.4) ? CaptureMethod.MANUAL : CaptureMethod.AUTOMATIC;
    const of =
      (minorUnits: bigint): Send =>
      (service) =>
        service.createPayment({ amount: eur(minorUnits), paymentMethod, captureMethod }, key);
    const created = await want(newIntent("CreatePayment", key), random, {
      send: of(amount),
      changed: of(amount + 1n),
    });
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
    { id: paymentId, amount }: Payment,
  ): Promise<Payment | undefined> {
    const captureOf = (name: string, minorUnits?: bigint) =>
      want(newIntent("CapturePayment", `${key}-${name}`, paymentId), random, {
        send: (service) =>
          service.capturePayment(
            { paymentId, ...(minorUnits === undefined ? {} : { amount: eur(minorUnits) }) },
            `${key}-${name}`,
          ),
      });
    const cancel = () =>
      want(newIntent("CancelPayment", `${key}-cancel`, paymentId), random, {
        send: (service) => service.cancelPayment({ paymentId }, `${key}-cancel`),
      });
    const half = (amount?.minorUnits ?? 0n) / 2n;
    switch (random.integer(1, 6)) {
      case 1:
        return cancel();
      case 2:
        return (await Promise.all([captureOf("capture"), cancel()]))[0];
      case 3:
        return (await Promise.all([captureOf("half", half), captureOf("other", half)]))[0];
      case 4:
        await captureOf("half", half);
        return captureOf("rest");
      default:
        return captureOf("capture");
    }
  }

  /** Refunds a part, or lets two refunds race for more than there is. */
  async function refund(
    key: string,
    random: Random,
    { id: paymentId, amount }: Payment,
  ): Promise<void> {
    const refundOf = (name: string, minorUnits: bigint) =>
      want(newIntent("RefundPayment", `${key}-${name}`, paymentId), random, {
        send: (service) =>
          service.refundPayment({ paymentId, amount: eur(minorUnits) }, `${key}-${name}`),
      });
    const most = amount?.minorUnits ?? 1n;
    if (random.chance(0.3)) {
      await Promise.all([refundOf("refund", most), refundOf("race", most)]);
    } else {
      await refundOf("refund", most / 3n + 1n);
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
        await ask(earlier, answer.send, random);
      }
    }
  }

  const running = Array.from({ length: CLIENTS }, (_, client) => run(client));
  return {
    intents,
    log,
    attemptsByReason,
    async end() {
      isEnding = true;
      await Promise.all(running);
    },
    asking: () => intents.filter((intent) => intent.asking > 0),
    async giveUp() {
      isStopped = true;
      await Promise.all(asking);
    },
    close() {
      for (const client of clients) {
        client.close();
      }
    },
  };
}

function newIntent(method: string, key: string, paymentId?: string): Intent {
  const operation = `${PaymentService.typeName}/${method}`;
  return {
    scope: { tenant: TENANT, operation, key },
    ...(paymentId === undefined ? {} : { paymentId }),
    told: [],
    asking: 0,
  };
}
