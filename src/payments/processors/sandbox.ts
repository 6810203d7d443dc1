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
  type ProcessorTraits,
} from "../processor.js";
import { chargesOf } from "./sandbox-list.js";

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

/** The sandbox, as long as no profile of another acquirer is on. */
export const sandboxTraits: ProcessorTraits = {
  name: "sandbox",
  keys: {
    windowMs: 24 * 3_600_000,
    maxLength: 255,
    otherRequest: "refused",
    inFlight: "waits",
    repetition: "first_answer",
    keepsErrors: "declines",
  },
  lookUp: { visibleAfterMs: 0 },
  capturesInParts: true,
};

/** The processor behind `payonce.sandbox.v1`, over plaintext gRPC. */
export function createSandboxProcessor(options: {
  /** Host and port. */
  readonly address: string;
  /** The longest time for which one call may take. Milliseconds. */
  readonly timeoutMs: number;
}): Processor & { close(): void } {
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

  return {
    traits: sandboxTraits,
    authorize: async (request) => decisionOf(await call(methods.authorize, request)),
    capture: async (request) => decisionOf(await call(methods.capture, request)),
    void: async (request) => decisionOf(await call(methods.void, request)),
    refund: async (request) => decisionOf(await call(methods.refund, request)),
    async lookUp({ processorKey }) {
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
