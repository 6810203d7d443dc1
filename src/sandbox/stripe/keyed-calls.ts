import { createHash, randomUUID } from "node:crypto";
import { Code, ConnectError } from "@connectrpc/connect";
import type { EffectType } from "../../gen/payonce/sandbox/v1/sandbox_pb.js";
import { PLAIN } from "../behaviours.js";
import type { EffectCalls } from "../effect-calls.js";
import type { InterruptedCall } from "../interruptions.js";
import type { Processor } from "../processor.js";
import { replyOfAnswer } from "./answers.js";
import {
  errorReply,
  keyInUse,
  keyReused,
  type Reply,
  replyOfError,
  StripeError,
} from "./errors.js";
import type { Form } from "./form.js";
import type { Intents } from "./intents.js";
import type { Keeper } from "./keeper.js";
import type { Executed, Execution, Operation } from "./operation.js";
import type { Resources } from "./resources.js";

/** Executes POSTs, each key once. */
export interface KeyedCalls {
  /** @throws StripeError or ConnectError for an answer that belongs to no key, or where the call ends without one. */
  execute(call: KeyedCall): Promise<KeyedReply>;
  /** Resolves once all that was executed so far is on disk. */
  untilDurable(): Promise<void>;
}

export interface KeyedCall {
  /** Without it every call is a new one. */
  readonly key: string | undefined;
  readonly path: string;
  readonly form: Form;
  readonly operation: Operation;
  readonly transport: InterruptedCall;
}

export interface KeyedReply {
  readonly reply: Reply;
  /** It is the answer of an earlier call. */
  readonly isReplayed: boolean;
}

export interface KeyedCallsOptions {
  readonly calls: EffectCalls;
  readonly processor: Processor;
  readonly intents: Intents;
  readonly keeper: Keeper;
  readonly resources: Resources;
}

export function createKeyedCalls(options: KeyedCallsOptions): KeyedCalls {
  const { calls, processor, intents, keeper, resources } = options;
  const inFlight = new Set<string>();
  let newestDurable = Promise.resolve();

  async function executeOnce(
    { operation, transport }: KeyedCall,
    target: { readonly processorKey: string; readonly type: EffectType },
    fingerprint: Buffer,
  ): Promise<KeyedReply> {
    const { processorKey } = target;
    let isFirst = false;
    try {
      const reply = await calls.perform({
        target,
        transport,
        behaviour: (keyCalls) => (hasAnswer(processorKey) ? PLAIN : operation.behaviour(keyCalls)),
        async act(declineCode) {
          const earlier = findEarlier(processorKey, fingerprint, operation.expand);
          if (earlier !== undefined) {
            await earlier.durable;
            return { answer: earlier.reply, isFirst: false };
          }
          // In the same step, so that the other face has not decided the key meanwhile.
          const executed = run(operation, { processorKey, fingerprint, declineCode });
          newestDurable = Promise.all([newestDurable, executed.durable]).then(() => undefined);
          await newestDurable;
          isFirst = true;
          if (!executed.isJournaled) {
            await keep(processorKey, fingerprint, executed.reply);
          }
          return { answer: executed.reply, isFirst };
        },
      });
      return { reply, isReplayed: !isFirst };
    } catch (error) {
      // A 500 is the API's own answer, and kept as any other. What has another
      // code comes from what stands before it: the next call gets the answer.
      if (isFirst && error instanceof ConnectError && error.code === Code.Internal) {
        await keep(processorKey, fingerprint, replyOfError(error));
      }
      throw error;
    }
  }

  function hasAnswer(key: string): boolean {
    return processor.find(key) !== undefined || keeper.reply(key) !== undefined;
  }

  /** @throws StripeError if the key had other parameters. */
  function findEarlier(
    key: string,
    fingerprint: Buffer,
    expand: readonly string[],
  ): { readonly reply: Reply; readonly durable?: Promise<void> } | undefined {
    const kept = keeper.reply(key);
    if (kept !== undefined) {
      if (kept.fingerprint !== fingerprint.toString("hex")) {
        throw keyReused(key);
      }
      return kept;
    }
    const decision = processor.find(key);
    if (decision === undefined) {
      return undefined;
    }
    const answer = intents.answerOf(decision.verdict);
    if (answer === undefined || !fingerprint.equals(answer.fingerprint)) {
      throw keyReused(key);
    }
    return { reply: replyOfAnswer(answer, expand, resources), durable: decision.durable };
  }

  function keep(key: string, fingerprint: Buffer, reply: Reply): Promise<void> {
    return keeper.keepReply(key, { fingerprint: fingerprint.toString("hex"), reply });
  }

  return {
    async execute(call) {
      const { key, operation } = call;
      const processorKey = key ?? `stripe_${randomUUID()}`;
      if (inFlight.has(processorKey)) {
        throw keyInUse(processorKey);
      }
      inFlight.add(processorKey);
      try {
        const target = { processorKey, type: operation.type };
        return await executeOnce(call, target, fingerprintOf(call));
      } finally {
        inFlight.delete(processorKey);
      }
    },
    untilDurable: () => newestDurable,
  };
}

/** Errors of an execution are answers like any other. */
function run(operation: Operation, execution: Execution): Executed {
  try {
    return operation.execute(execution);
  } catch (error) {
    if (error instanceof StripeError) {
      return { reply: errorReply(error), durable: Promise.resolve(), isJournaled: false };
    }
    throw error;
  }
}

/** Equal for calls with the same endpoint and the same parameters, in whatever order. */
function fingerprintOf({ path, form }: KeyedCall): Buffer {
  return createHash("sha256")
    .update(JSON.stringify([path, sorted(form)]))
    .digest();
}

function sorted(form: Form): readonly unknown[] {
  const entries = Object.entries(form).sort(([one], [other]) => (one < other ? -1 : 1));
  return entries.map(([key, value]) => [key, typeof value === "string" ? value : sorted(value)]);
}
