import { setTimeout as sleep } from "node:timers/promises";
import { ProcessorRefused } from "../../payments/processor.js";
import {
  AMOUNT,
  authorizationOf,
  type ContractCase,
  mustApprove,
  mustHaveEffects,
  paymentOf,
} from "../case.js";
import { must, show } from "../violation.js";

/** For a busy machine to notice that the time is up. Milliseconds. */
const SLACK_MS = 2_000;

const authorized = [{ kind: "authorize", amount: AMOUNT }] as const;

export const deadlineCases: readonly ContractCase[] = [
  {
    name: "a slow answer within the time limit is an answer",
    needs: ["delay_before"],
    async run(test) {
      const payment = paymentOf(test);
      await test.double.arm([
        { kind: "delay_before", delayMs: Math.ceil(test.setup.timeoutMs / 3) },
      ]);
      const decision = await test.processor.authorize(authorizationOf(payment));
      must(decision.kind === "approved", `it must be approved, and is ${show(decision)}`);
      await mustHaveEffects(test, payment, authorized);
    },
  },
  {
    name: "a call bounds its own time, and its outcome is then not known",
    needs: ["delay_before"],
    async run(test) {
      const { timeoutMs } = test.setup;
      const request = authorizationOf(paymentOf(test));
      await test.double.arm([{ kind: "delay_before", delayMs: 2 * timeoutMs + SLACK_MS }]);
      const beginMs = performance.now();
      const [result] = await Promise.allSettled([test.processor.authorize(request)]);
      const tookMs = Math.round(performance.now() - beginMs);
      must(
        tookMs < timeoutMs + SLACK_MS,
        `the call took ${tookMs} ms, where timeoutMs is ${timeoutMs}`,
      );
      must(
        result.status === "rejected" && !(result.reason instanceof ProcessorRefused),
        `it must reject as one whose outcome is not known, and is ${show(result)}`,
      );
    },
  },
  {
    name: "an answer that comes after the time limit is neither a decline nor a second effect",
    needs: ["delay_after"],
    async run(test) {
      const { timeoutMs, traits } = test.setup;
      const payment = paymentOf(test);
      const delayMs = 2 * timeoutMs;
      await test.double.arm([{ kind: "delay_after", delayMs }]);
      if (traits.keys === undefined && traits.lookUp === undefined) {
        const settled = await test.operator.settle(payment, "create");
        must(settled.kind === "held", `it must be held, and is ${show(settled)}`);
      } else {
        await mustApprove(test, payment, "create");
      }
      await sleep(delayMs);
      await mustHaveEffects(test, payment, authorized);
    },
  },
  {
    name: "a call that arrives after the time limit, and its repetitions, have one effect",
    needs: ["keys", "delay_before"],
    async run(test) {
      const delayMs = 2 * test.setup.timeoutMs;
      const payment = paymentOf(test);
      await test.double.arm([{ kind: "delay_before", delayMs }]);
      await mustApprove(test, payment, "create");
      await sleep(delayMs);
      await mustHaveEffects(test, payment, authorized);
    },
  },
];
