import type { ClaimRequest } from "../../src/idempotency/port/store.js";
import { BegunWithClaim } from "../../src/payments/first-work.js";
import { begunNow } from "../../src/payments/postgres/begin.js";
import { creationOf } from "../../src/payments/postgres/plans.js";
import { settled } from "../../src/runtime/batches.js";
import type { FirstRows } from "./database.js";
import { intentOf } from "./requests.js";
import { ReceivedCall } from "./service.js";
import type { StepRules } from "./steps.js";

/** Begins payments in the same moment as their claims, by the payment service's own plans. */
export function createFirstWork(options: {
  readonly now: () => Date;
  readonly rules: Pick<StepRules, "planned">;
  readonly onBegin: (request: ClaimRequest) => void;
}): (request: ClaimRequest) => FirstRows | undefined {
  return (request) => {
    const { message, scope, fingerprint } = request;
    if (!(message instanceof ReceivedCall) || message.kind !== "create") {
      return undefined;
    }
    const intent = settled(() => intentOf("create", message.request));
    if (!intent.ok || intent.value.kind !== "create") {
      return undefined;
    }
    const time = options.now();
    const read = { time, readAt: message.receivedAt };
    const plan = creationOf({ scope, fingerprint, ...read }, intent.value.terms);
    const { operation, payment } = options.rules.planned({
      ...begunNow(plan, read),
      begins: "first",
      before: undefined,
    });
    options.onBegin(request);
    return { operation, payment, begun: new BegunWithClaim(begunNow(plan, read)) };
  };
}
