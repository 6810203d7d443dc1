import type { MessageInitShape } from "@bufbuild/protobuf";
import { Client, credentials } from "@grpc/grpc-js";
import { readJournal } from "../../../src/audit/read-journal.js";
import {
  type Effect,
  EffectType,
  type FaultSchema,
  SandboxProcessorService,
} from "../../../src/gen/payonce/sandbox/v1/sandbox_pb.js";
import { callUnary } from "../../../src/grpc/client.js";
import { processorKeyOf } from "../../../src/payments/operation.js";

const CALL_LIMIT_MS = 30_000;
const { method } = SandboxProcessorService;

/** For a fault of every call: more than a run makes. */
export const ALL_CALLS = 1_000_000;

export type Processor = ReturnType<typeof openProcessor>;

/** The sandbox processor, seen from behind the service: what it did, and how to trouble it. */
export function openProcessor(address: string) {
  const client = new Client(address, credentials.createInsecure());

  async function effectsOf(paymentId: string | undefined): Promise<readonly Effect[]> {
    const { effects } = await readJournal(client);
    return effects.filter((effect) => effect.paymentId === paymentId);
  }

  return {
    effectsOf,

    /** The effects of one call's key, which are one or none. */
    async effectsUnder(processorKey: string): Promise<readonly Effect[]> {
      const { effects } = await readJournal(client);
      return effects.filter((effect) => effect.processorKey === processorKey);
    },

    /** The kinds of a payment's effects, in the order in which they happened. */
    async effectTypesOf(paymentId: string | undefined): Promise<readonly string[]> {
      return (await effectsOf(paymentId)).map(({ type }) => EffectType[type]);
    },

    /** How many effects there are, of all payments. */
    async countEffects(): Promise<number> {
      return (await readJournal(client)).effects.length;
    },

    /** How many calls for an effect have arrived, whatever became of them. */
    async countCalls(): Promise<bigint> {
      return (await readJournal(client)).calls;
    },

    /** How many calls with a processor key have arrived. */
    async callsOf(processorKey: string): Promise<bigint> {
      const request = { processorKey };
      const { response } = await callUnary(client, { method: method.lookup, request });
      return response?.calls ?? 0n;
    },

    /** Arms faults for the next calls, replacing those armed before. */
    async arm(...faults: MessageInitShape<typeof FaultSchema>[]): Promise<void> {
      const { code, message } = await callUnary(client, {
        method: method.setFaults,
        request: { faults },
        timeoutMs: CALL_LIMIT_MS,
      });
      if (code !== 0) {
        throw new Error(message);
      }
    },

    close: () => client.close(),
  };
}

/** The processor key of a call by the tenant of callers without authentication. */
export function processorKeyOfCall(method: PaymentMethodName, key: string): string {
  const operation = `payonce.payments.v1.PaymentService/${method}`;
  return processorKeyOf({ tenant: "default", operation, key });
}

type PaymentMethodName = "CreatePayment" | "CapturePayment" | "CancelPayment" | "RefundPayment";
