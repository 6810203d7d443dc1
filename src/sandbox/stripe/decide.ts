import { randomBytes } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { type StripeFields, StripeFieldsSchema } from "../../gen/payonce/sandbox/v1/sandbox_pb.js";
import type { EffectRequest } from "../effect-request.js";
import type { Processor } from "../processor.js";
import { replyOfAnswer } from "./answers.js";
import { keyReused } from "./errors.js";
import { eventsOfAnswer, eventsOfWaiting } from "./events.js";
import type { Intent } from "./intent.js";
import type { Intents } from "./intents.js";
import type { Keeper } from "./keeper.js";
import type { Executed, Execution } from "./operation.js";
import type { Resources } from "./resources.js";
import type { Webhook } from "./webhook.js";

/** What operations decide with. */
export interface Deciding {
  readonly processor: Processor;
  readonly intents: Intents;
  readonly keeper: Keeper;
  readonly resources: Resources;
  /** Hears of what happens, where there is an endpoint. */
  readonly webhook: Webhook | undefined;
  readonly now: () => Date;
  /** The account may capture an intent several times. */
  readonly hasMulticapture: boolean;
}

export type FieldsOfEffect = Partial<
  Pick<
    StripeFields,
    "refund" | "metadata" | "description" | "captureMethod" | "keepsRest" | "reason"
  >
> & { readonly paymentIntent: string };

/** Has an effect decided by the processor of both faces. */
export function decideEffect(
  { processor, intents, resources, webhook, now }: Deciding,
  execution: Execution,
  effect: Omit<EffectRequest, "processorKey" | "stripe"> & {
    readonly fields: FieldsOfEffect;
    readonly expand: readonly string[];
  },
): Executed {
  const { fields, expand, ...request } = effect;
  const { processorKey, fingerprint, declineCode } = execution;
  const stripe = create(StripeFieldsSchema, {
    ...fields,
    fingerprint,
    createTime: timestampFromMs(now().getTime()),
  });
  const result = processor.decide({ ...request, processorKey, stripe }, declineCode);
  if (result.kind === "overloaded") {
    throw new ConnectError("too many calls wait for the disk", Code.ResourceExhausted);
  }
  const answer =
    result.kind === "decided" && result.isFirst
      ? intents.apply(result.decision.verdict)
      : undefined;
  if (result.kind === "key_reused" || answer === undefined) {
    throw keyReused(processorKey);
  }
  const { durable } = result.decision;
  const events = eventsOfAnswer(request.type, answer, resources);
  webhook?.send(events, { durable, key: processorKey });
  return { reply: replyOfAnswer(answer, expand, resources), durable, isJournaled: true };
}

/** Keeps an intent that came to its status without an effect. */
export function keepIntent(
  { intents, keeper, resources, webhook }: Deciding,
  intent: Intent,
  { processorKey, expand }: { readonly processorKey: string; readonly expand: readonly string[] },
): Executed {
  intents.put(intent);
  const durable = keeper.keepIntent(intent);
  webhook?.send(eventsOfWaiting(intent, resources), { durable, key: processorKey });
  return {
    reply: { status: 200, body: resources.intent(intent, expand) },
    durable,
    isJournaled: false,
  };
}

/** An id such as Stripe gives: its prefix, and 24 characters that nobody guesses. */
export function newId(prefix: string): string {
  return `${prefix}_${randomBytes(12).toString("hex")}`;
}
