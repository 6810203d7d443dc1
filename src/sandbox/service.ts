import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import type {
  ResultSchema,
  SandboxProcessorService,
} from "../gen/payonce/sandbox/v1/sandbox_pb.js";
import { PLAIN, tokenBehaviour } from "./behaviours.js";
import type { EffectCalls } from "./effect-calls.js";
import {
  checkName,
  type EffectRequest,
  fromAuthorize,
  fromCapture,
  fromRefund,
  fromVoid,
  invalidArgument,
} from "./effect-request.js";
import { checkFaultAccess, type FaultAccess } from "./fault-access.js";
import type { ArmedFaults } from "./faults.js";
import type { InterruptedCall } from "./interruptions.js";
import type { Decision, Processor } from "./processor.js";
import { requestOf, type Verdict } from "./verdict.js";

export interface ServiceOptions {
  readonly processor: Processor;
  readonly faults: ArmedFaults;
  readonly calls: EffectCalls;
  /** The callers who may arm faults. */
  readonly faultAccess: FaultAccess;
  /** Finds the transport of a call. */
  readonly toCall: (context: HandlerContext) => InterruptedCall;
}

const DEFAULT_PAGE_SIZE = 1_000;
const PAGE_SIZE_LIMIT = 10_000;

/** The RPCs of the sandbox processor. */
export function createService(
  options: ServiceOptions,
): ServiceImpl<typeof SandboxProcessorService> {
  const { processor, faults, calls, faultAccess, toCall } = options;

  /** Serves one call for an effect. */
  async function perform<Request>(
    parse: (request: Request) => EffectRequest,
    message: Request,
    context: HandlerContext,
  ): Promise<{ result: MessageInitShape<typeof ResultSchema> }> {
    calls.arrive();
    const request = parse(message);
    return calls.perform({
      target: request,
      transport: toCall(context),
      behaviour: (keyCalls) =>
        isTokenInForce(request) ? tokenBehaviour(request.paymentMethod, keyCalls) : PLAIN,
      async act(declineCode) {
        const { decision, isFirst } = decide(request, declineCode);
        await untilDurable(decision);
        return { answer: { result: toResult(decision.verdict) }, isFirst };
      },
    });
  }

  /** Only authorizations carry a token, and a key that is decided has its answer. */
  function isTokenInForce({ paymentMethod, processorKey }: EffectRequest): boolean {
    return paymentMethod !== "" && !processor.hasAnswer(processorKey);
  }

  function decide(
    request: EffectRequest,
    declineCode: string | undefined,
  ): { decision: Decision; isFirst: boolean } {
    const result = processor.decide(request, declineCode);
    switch (result.kind) {
      case "decided":
        return result;
      case "key_reused":
        throw new ConnectError(
          "processor_key was used with other parameters",
          Code.FailedPrecondition,
        );
      case "overloaded":
        throw new ConnectError("too many calls wait for the disk", Code.ResourceExhausted);
    }
  }

  return {
    authorize: (request, context) => perform(fromAuthorize, request, context),
    capture: (request, context) => perform(fromCapture, request, context),
    void: (request, context) => perform(fromVoid, request, context),
    refund: (request, context) => perform(fromRefund, request, context),

    async lookup(request) {
      const processorKey = checkName("processor_key", request.processorKey);
      const decision = processor.find(processorKey);
      const type = decision && requestOf(decision.verdict).type;
      if (faults.meetLookup({ processorKey, type })) {
        return {};
      }
      const keyCalls = BigInt(calls.countOf(processorKey));
      if (decision === undefined) {
        return { calls: keyCalls };
      }
      await untilDurable(decision);
      return { result: toResult(decision.verdict), calls: keyCalls };
    },

    listEffects(request) {
      const pageSize = request.pageSize || DEFAULT_PAGE_SIZE;
      if (pageSize < 0 || pageSize > PAGE_SIZE_LIMIT) {
        throw invalidArgument(`page_size takes 1 to ${PAGE_SIZE_LIMIT}, or 0`);
      }
      if (request.afterSequence < 0n) {
        throw invalidArgument("after_sequence takes a sequence, or 0");
      }
      const effects = processor.listEffects(request.afterSequence, pageSize);
      return { effects: [...effects], calls: BigInt(calls.total()) };
    },

    setFaults(request, { requestHeader }) {
      checkFaultAccess(faultAccess, requestHeader.get("authorization"));
      faults.arm(request.faults);
      return {};
    },
  };
}

async function untilDurable({ durable }: Decision): Promise<void> {
  try {
    await durable;
  } catch (error) {
    throw ConnectError.from(error, Code.Internal);
  }
}

function toResult(verdict: Verdict): MessageInitShape<typeof ResultSchema> {
  switch (verdict.kind) {
    case "approved":
      return { decision: { case: "approved", value: verdict.effect } };
    case "declined":
      return {
        decision: { case: "declined", value: { declineCode: verdict.decline.declineCode } },
      };
  }
}
