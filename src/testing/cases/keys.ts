import { setTimeout as sleep } from "node:timers/promises";
import { ProcessorRefused } from "../../payments/processor.js";
import {
  AMOUNT,
  authorizationOf,
  type ContractCase,
  eur,
  mustApprove,
  mustHaveEffects,
  paymentOf,
} from "../case.js";
import { newKey, newPaymentId } from "../operator.js";
import { must, mustEqual, show } from "../violation.js";

const CALLS_AT_ONCE = 10;

/** What an acquirer that honours keys does with them. */
export const keyCases: readonly ContractCase[] = [
  {
    name: "a key that comes again has one effect, and one answer",
    needs: ["keys"],
    async run(test) {
      const request = authorizationOf(paymentOf(test));
      const first = await test.processor.authorize(request);
      must(first.kind === "approved", `the first call must be approved, and is ${show(first)}`);
      for (let repetition = 0; repetition < 2; repetition += 1) {
        const next = await test.processor.authorize(request);
        must(next.kind === "approved", `a repetition must be approved, and is ${show(next)}`);
        mustEqual(next.reference, first.reference, "the reference that a repetition gets");
      }
      await mustHaveEffects(test, request, [{ kind: "authorize", amount: AMOUNT }]);
    },
  },
  {
    name: "a key that comes ten times at once has one effect, and no call is declined or refused",
    needs: ["keys"],
    async run(test) {
      const request = authorizationOf(paymentOf(test));
      const calls = Array.from({ length: CALLS_AT_ONCE }, () => test.processor.authorize(request));
      for (const result of await Promise.allSettled(calls)) {
        if (result.status === "rejected") {
          must(!(result.reason instanceof ProcessorRefused), show(result.reason));
        } else {
          must(result.value.kind === "approved", `a call is ${show(result.value)}`);
        }
      }
      const last = await test.processor.authorize(request);
      must(last.kind === "approved", `the call after them must be approved, and is ${show(last)}`);
      await mustHaveEffects(test, request, [{ kind: "authorize", amount: AMOUNT }]);
    },
  },
  {
    name: "keys that differ in one digit are two effects: none is cut off",
    needs: ["keys"],
    async run(test) {
      const request = authorizationOf(paymentOf(test));
      const key = newKey();
      const keys = [0, 1].flatMap((digit) => [
        `pk_${digit}${key.slice(4)}`,
        `${key.slice(0, -1)}${digit}`,
      ]);
      // Where the drawn key has such a digit already, two of them are the same.
      for (const processorKey of new Set(keys)) {
        const paymentId = newPaymentId();
        await test.processor.authorize({ ...request, processorKey, paymentId });
        await mustHaveEffects(test, { ...request, paymentId }, [
          { kind: "authorize", amount: AMOUNT },
        ]);
      }
    },
  },
  {
    name: "a key that comes again for another amount has one effect, and the answer that is declared",
    needs: ["keys"],
    async run(test) {
      const request = authorizationOf(paymentOf(test));
      await test.processor.authorize(request);
      const other = test.processor.authorize({ ...request, amount: eur(900n) });
      const [result] = await Promise.allSettled([other]);
      if (test.setup.traits.keys?.otherRequest === "refused") {
        must(
          result.status === "rejected" &&
            result.reason instanceof ProcessorRefused &&
            result.reason.refusal === "key_reused",
          `otherRequest is "refused": it must reject with ProcessorRefused key_reused, and is ${show(result)}`,
        );
      } else {
        must(
          result.status === "fulfilled" && result.value.kind === "approved",
          `otherRequest is "first_answer": it must be approved as the first was, and is ${show(result)}`,
        );
      }
      await mustHaveEffects(test, request, [{ kind: "authorize", amount: AMOUNT }]);
    },
  },
  {
    name: "a key whose first call is under way gets what is declared, and one effect",
    needs: ["keys", "delay_before"],
    async run(test) {
      const { timeoutMs, traits } = test.setup;
      const request = authorizationOf(paymentOf(test));
      await test.double.arm([{ kind: "delay_before", delayMs: Math.ceil(timeoutMs / 2) }]);
      const first = test.processor.authorize(request);
      first.catch(() => {}); // awaited below
      await sleep(timeoutMs / 4);
      const [second] = await Promise.allSettled([test.processor.authorize(request)]);
      if (traits.keys?.inFlight === "refused") {
        must(
          second.status === "rejected" && !(second.reason instanceof ProcessorRefused),
          `inFlight is "refused": the second call must reject as one whose outcome is not known, and is ${show(second)}`,
        );
      } else {
        must(
          second.status === "fulfilled" && second.value.kind === "approved",
          `inFlight is "waits": the second call must be approved, and is ${show(second)}`,
        );
      }
      must((await first).kind === "approved", "the first call must be approved");
      await mustHaveEffects(test, request, [{ kind: "authorize", amount: AMOUNT }]);
    },
  },
  {
    name: "an authorization that comes again after the payment has moved on is still approved",
    needs: ["keys"],
    async run(test) {
      const payment = paymentOf(test);
      const request = authorizationOf(payment);
      const first = await test.processor.authorize(request);
      must(first.kind === "approved", `the first call must be approved, and is ${show(first)}`);
      const authorized = { ...payment, ...(first.reference && { reference: first.reference }) };
      await mustApprove(test, authorized, "capture");
      await mustApprove(test, authorized, "refund");
      const again = await test.processor.authorize(request);
      mustEqual(again.kind, "approved", "the repetition after a capture and a refund");
      await mustHaveEffects(test, request, [
        { kind: "authorize", amount: AMOUNT },
        { kind: "capture", amount: AMOUNT },
        { kind: "refund", amount: AMOUNT },
      ]);
    },
  },
  {
    name: "a key that the acquirer forgot is a second effect, and the double counts it",
    needs: ["keys", "forget_key"],
    async run(test) {
      const request = authorizationOf(paymentOf(test));
      await test.processor.authorize(request);
      await test.double.arm([{ kind: "forget_key" }]);
      await test.processor.authorize(request);
      const authorization = { kind: "authorize", amount: AMOUNT } as const;
      await mustHaveEffects(test, request, [authorization, authorization]);
    },
  },
];
