import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import {
  EffectType,
  FaultAction,
  type FaultSchema,
  SandboxProcessorService,
} from "../../../src/gen/payonce/sandbox/v1/sandbox_pb.js";
import { Code } from "../../../src/idempotency/answers/code.js";
import type { Processor } from "../../../src/payments/processor.js";
import { createSandboxProcessor } from "../../../src/payments/processors/sandbox.js";
import {
  type SandboxProfile,
  sandboxProfiles,
  sandboxTraits,
} from "../../../src/payments/processors/sandbox-traits.js";
import { startSandbox } from "../../../src/sandbox/server.js";
import type {
  DoubleEffect,
  ProcessorContractSetup,
  ProcessorDouble,
  ProcessorFault,
} from "../../../src/testing/index.js";

const TIMEOUT_MS = 400;

/** What the suite of processors needs to run over the sandbox with the habits of an acquirer. */
export function sandboxSetup(
  profile?: SandboxProfile,
  /** Puts something between the suite and the adapter. */
  wrap: (processor: Processor) => Processor = (processor) => processor,
): ProcessorContractSetup {
  return {
    traits: profile === undefined ? sandboxTraits : sandboxProfiles[profile],
    timeoutMs: TIMEOUT_MS,
    patienceMs: 3_000,
    paymentMethods: {
      approved: "tok_visa",
      insufficientFunds: "tok_insufficient_funds",
      declined: "tok_declined",
      unknown: "tok_of_nobody",
      requiresAction: undefined,
    },
    cannot: [],
    async open() {
      const dataDir = await mkdtemp(join(tmpdir(), "payonce-contract-"));
      const listen = { host: "127.0.0.1", port: 0 };
      const sandbox = await startSandbox({ listen, dataDir, profile });
      const { address } = sandbox;
      const processor = createSandboxProcessor({ address, timeoutMs: TIMEOUT_MS, profile });
      return {
        processor: wrap(processor),
        double: createSandboxDouble(address),
        async close() {
          processor.close();
          await sandbox.close();
          await rm(dataDir, { recursive: true, force: true });
        },
      };
    },
  };
}

const effectKinds = new Map<EffectType, DoubleEffect["kind"]>([
  [EffectType.AUTHORIZE, "authorize"],
  [EffectType.AUTHORIZE_CAPTURE, "charge"],
  [EffectType.CAPTURE, "capture"],
  [EffectType.VOID, "void"],
  [EffectType.REFUND, "refund"],
]);

/** The sandbox as the suite looks at it and disturbs it, whichever face the adapter takes. */
export function createSandboxDouble(address: string): ProcessorDouble {
  const transport = createGrpcTransport({ baseUrl: `http://${address}` });
  const client = createClient(SandboxProcessorService, transport);
  return {
    async effectsOf({ paymentId }) {
      const { effects } = await client.listEffects({});
      return effects
        .filter((effect) => effect.paymentId === paymentId)
        .map(({ type, amount }) => {
          const kind = effectKinds.get(type);
          if (kind === undefined) {
            throw new Error(`the journal has an effect of type ${type}`);
          }
          return amount === undefined ? { kind } : { kind, amount };
        });
    },
    async arm(faults) {
      await client.setFaults({ faults: faults.map(toFault) });
    },
  };
}

/** What the sandbox answers where others answer with an HTTP status. */
const codes = {
  409: Code.ABORTED,
  429: Code.RESOURCE_EXHAUSTED,
  500: Code.INTERNAL,
  503: Code.UNAVAILABLE,
};

function toFault(fault: ProcessorFault): MessageInitShape<typeof FaultSchema> {
  switch (fault.kind) {
    case "drop_before":
      return { action: FaultAction.DROP_BEFORE, count: fault.times ?? 1 };
    case "drop_after":
      return { action: FaultAction.DROP_AFTER, count: fault.times ?? 1 };
    case "error_before":
    case "error_after": {
      const { kind, status, times: count = 1 } = fault;
      const action = kind === "error_before" ? FaultAction.ERROR_BEFORE : FaultAction.ERROR_AFTER;
      return { action, code: codes[status], count };
    }
    case "delay_before":
    case "delay_after": {
      const { kind, delayMs, times: count = 1 } = fault;
      const action = kind === "delay_before" ? FaultAction.DELAY_BEFORE : FaultAction.DELAY_AFTER;
      return { action, delay: durationFromMs(delayMs), count };
    }
    case "forget_key":
      return { action: FaultAction.FORGET_KEY };
    case "hide_from_look_up":
      return { action: FaultAction.HIDE_FROM_LOOKUP, count: fault.times };
  }
}
