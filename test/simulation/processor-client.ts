import { EffectType } from "../../src/gen/payonce/sandbox/v1/sandbox_pb.js";
import type { Execution } from "../../src/idempotency/execution/call.js";
import type {
  Processor as PaymentProcessor,
  ProcessorDecision,
} from "../../src/payments/processor.js";
import { sandboxTraits } from "../../src/payments/processors/sandbox-traits.js";
import { nameOf } from "./calls.js";
import type { Transaction } from "./database.js";
import type { Caller, Network, Server } from "./network.js";
import type { Charge, Processor } from "./processor.js";

/** How long a process waits for the processor. Milliseconds. */
const TIMEOUT_MS = 2_000;

/** How one process reaches the processor. */
export interface ProcessorClient {
  charge(charge: Charge): Promise<ProcessorDecision>;
  /** The processor as an operation of the payment service asks it, for one call. */
  asPaymentProcessor(call: {
    readonly request: string;
    readonly execution: Execution<Transaction>;
  }): PaymentProcessor;
}

export function connectProcessor(options: {
  readonly processor: Processor;
  readonly network: Network;
  readonly from: Caller;
  readonly to: Server;
  /** How long the keys of operations are remembered. Milliseconds. */
  readonly memoryMs: number;
  /** The key under which a call is sent. */
  readonly processorKeyOf: (charge: Charge) => string;
  /** Told of each call, as it is sent. */
  readonly onCharge: (charge: Charge) => void;
}): ProcessorClient {
  const { processor, network, memoryMs } = options;
  const route = { from: options.from, to: options.to, mayBeRepeated: true, timeoutMs: TIMEOUT_MS };

  function charge(asked: Charge): Promise<ProcessorDecision> {
    const sent = { ...asked, processorKey: options.processorKeyOf(asked) };
    const { scope, fencingToken } = sent.claim;
    options.onCharge(sent);
    return network.call({
      ...route,
      about: nameOf(scope),
      what: `charge ${sent.processorKey.slice(0, 9)} (token ${fencingToken})`,
      execute: () => processor.charge(sent),
      describe: ({ kind }) => kind,
    });
  }

  return {
    charge,
    asPaymentProcessor({ request, execution }) {
      const { scope, fencingToken, attempt, fingerprint } = execution;
      const claim = { scope, fencingToken, attempt, fingerprint };
      const more = { paymentMethod: "", request, memoryMs, claim };
      return {
        traits: sandboxTraits,
        authorize: ({ capture, ...effect }) => {
          const type = capture ? EffectType.AUTHORIZE_CAPTURE : EffectType.AUTHORIZE;
          return charge({ ...more, ...effect, type });
        },
        capture: (effect) => charge({ ...more, ...effect, type: EffectType.CAPTURE }),
        void: (effect) => charge({ ...more, ...effect, type: EffectType.VOID }),
        refund: (effect) => charge({ ...more, ...effect, type: EffectType.REFUND }),
        lookUp: ({ processorKey }) =>
          network.call({
            ...route,
            about: nameOf(scope),
            what: `look up ${processorKey.slice(0, 9)}`,
            execute: () => processor.lookUp(processorKey),
            describe: (effect) => effect?.decision.kind ?? "nothing",
          }),
      };
    },
  };
}
