import type {
  DescMessage,
  DescMethodUnary,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import { Client, credentials, status } from "@grpc/grpc-js";
import {
  type Effect,
  type Result,
  SandboxProcessorService,
} from "../../gen/payonce/sandbox/v1/sandbox_pb.js";
import { callUnary } from "../../grpc/client.js";
import {
  type Processor,
  type ProcessorDecision,
  ProcessorRefused,
  type ProcessorRequest,
  type ProcessorTraits,
} from "../processor.js";
import { chargesOf } from "./sandbox-list.js";
import { type SandboxProfile, sandboxProfiles, sandboxTraits } from "./sandbox-traits.js";

const channelOptions = {
  // A processor that restarts is reached again within a second, not after the
  // two minutes to which gRPC's own backoff grows.
  "grpc.initial_reconnect_backoff_ms": 50,
  "grpc.max_reconnect_backoff_ms": 1_000,
  // Repeating a call is decided in one place, by whoever owns the claim.
  "grpc.enable_retries": 0,
};

const EFFECTS_PAGE_SIZE = 10_000;

const methods = SandboxProcessorService.method;

/** The statuses by which the sandbox says that a call does nothing. */
const refusals: ReadonlyMap<number, ProcessorRefused["refusal"]> = new Map([
  [status.INVALID_ARGUMENT, "invalid"],
  [status.FAILED_PRECONDITION, "key_reused"],
]);

/** What is left of a processor key where all of it does not fit: its hexadecimal digits. */
const KEY_DIGITS = 40;

/** The processor behind `payonce.sandbox.v1`, over plaintext gRPC. */
export function createSandboxProcessor(options: {
  /** Host and port. */
  readonly address: string;
  /** The longest time for which one call may take. Milliseconds. */
  readonly timeoutMs: number;
  /** The acquirer whose habits the sandbox has; none unless given. */
  readonly profile?: SandboxProfile | undefined;
}): Processor & { close(): void } {
  const traits: ProcessorTraits =
    options.profile === undefined ? sandboxTraits : sandboxProfiles[options.profile];
  const client = new Client(options.address, credentials.createInsecure(), channelOptions);

  async function call<Input extends DescMessage, Output extends DescMessage>(
    method: DescMethodUnary<Input, Output>,
    request: MessageInitShape<Input>,
  ): Promise<MessageShape<Output>> {
    const { timeoutMs } = options;
    const { response, code, message } = await callUnary(client, { method, request, timeoutMs });
    if (response === undefined) {
      const refusal = refusals.get(code);
      const problem = `${status[code]}: ${message}`;
      throw refusal === undefined ? new Error(problem) : new ProcessorRefused(refusal, problem);
    }
    return response;
  }

  async function* effects(): AsyncGenerator<Effect> {
    let afterSequence = 0n;
    for (;;) {
      const page = await call(methods.listEffects, { afterSequence, pageSize: EFFECTS_PAGE_SIZE });
      yield* page.effects;
      const last = page.effects.at(-1);
      if (last === undefined) {
        return;
      }
      afterSequence = last.sequence;
    }
  }

  /** Returns the request under a key that the acquirer takes. */
  function withKey<Request extends ProcessorRequest>(request: Request): Request {
    const { processorKey } = request;
    const isTooLong = processorKey.length > (traits.keys?.maxLength ?? processorKey.length);
    return isTooLong ? { ...request, processorKey: processorKey.slice(-KEY_DIGITS) } : request;
  }

  return {
    traits,
    authorize: async (request) => decisionOf(await call(methods.authorize, withKey(request))),
    capture: async (request) => decisionOf(await call(methods.capture, withKey(request))),
    void: async (request) => decisionOf(await call(methods.void, withKey(request))),
    refund: async (request) => decisionOf(await call(methods.refund, withKey(request))),
    async lookUp(request) {
      if (traits.lookUp === undefined) {
        return undefined;
      }
      const { processorKey } = withKey(request);
      const { result } = await call(methods.lookup, { processorKey });
      if (result === undefined) {
        return undefined;
      }
      const { amount } = result.decision.case === "approved" ? result.decision.value : {};
      const decision = decisionOf({ result });
      return amount === undefined ? { decision } : { decision, amount };
    },
    listPayments: (created) => chargesOf(effects(), created),
    close: () => client.close(),
  };
}

function decisionOf({ result }: { readonly result?: Result | undefined }): ProcessorDecision {
  switch (result?.decision.case) {
    case "approved":
      return { kind: "approved" };
    case "declined":
      return { kind: "declined", declineCode: result.decision.value.declineCode };
    default:
      throw new Error("the processor's answer holds no decision");
  }
}
