import { timestampMs } from "@bufbuild/protobuf/wkt";
import { EffectType, type StripeFields } from "../../gen/payonce/sandbox/v1/sandbox_pb.js";
import type { EffectRequest } from "../effect-request.js";
import { requestOf, type Verdict } from "../verdict.js";

/** A PaymentIntent. Amounts are in the minor units of ISO 4217, as in the journal. */
export interface Intent {
  readonly id: string;
  /** The key that created it: of its authorization, whenever that happens. */
  readonly processorKey: string;
  readonly paymentId: string;
  readonly currencyCode: string;
  readonly minorUnits: bigint;
  readonly paymentMethod: string;
  readonly captureMethod: string;
  readonly description: string;
  readonly metadata: Metadata;
  readonly createTimeMs: number;
  readonly status: IntentStatus;
  readonly captured: bigint;
  readonly refunds: readonly Refund[];
  /** Why its last attempt failed, by a decline code. */
  readonly declineCode?: string | undefined;
  /** When it was authorized, or declined. */
  readonly chargeTimeMs?: number | undefined;
  readonly cancelTimeMs?: number | undefined;
  readonly cancelReason?: string | undefined;
  /** Where its customer goes after having agreed. */
  readonly returnUrl?: string | undefined;
}

export type IntentStatus =
  | "requires_payment_method"
  | "requires_confirmation"
  | "requires_action"
  | "requires_capture"
  | "succeeded"
  | "canceled";

export interface Refund {
  readonly id: string;
  readonly processorKey: string;
  readonly minorUnits: bigint;
  readonly reason: string;
  readonly metadata: Metadata;
  readonly createTimeMs: number;
}

export type Metadata = Readonly<Record<string, string>>;

/** What the journal's lines of an authorization say about its intent. */
export function intentFromRequest(request: EffectRequest, fields: StripeFields): Intent {
  const createTimeMs = createTimeMsOf(fields);
  return {
    id: fields.paymentIntent,
    processorKey: request.processorKey,
    paymentId: request.paymentId,
    currencyCode: request.amount?.currencyCode ?? "",
    minorUnits: request.amount?.minorUnits ?? 0n,
    paymentMethod: request.paymentMethod,
    captureMethod: fields.captureMethod,
    description: fields.description,
    metadata: { ...fields.metadata },
    createTimeMs,
    status: "requires_confirmation",
    captured: 0n,
    refunds: [],
  };
}

/** The intent after a verdict about it. */
export function applyVerdict(intent: Intent, verdict: Verdict, fields: StripeFields): Intent {
  const { type, amount, processorKey } = requestOf(verdict);
  const minorUnits = amount?.minorUnits ?? 0n;
  const timeMs = createTimeMsOf(fields);
  if (verdict.kind === "declined") {
    const { declineCode } = verdict.decline;
    return type === EffectType.AUTHORIZE || type === EffectType.AUTHORIZE_CAPTURE
      ? { ...intent, status: "requires_payment_method", declineCode, chargeTimeMs: timeMs }
      : intent; // what there was stays
  }
  switch (type) {
    case EffectType.AUTHORIZE:
      return { ...charged(intent, timeMs), status: "requires_capture" };
    case EffectType.AUTHORIZE_CAPTURE:
      return { ...charged(intent, timeMs), status: "succeeded", captured: minorUnits };
    case EffectType.CAPTURE: {
      const captured = intent.captured + minorUnits;
      const isOpen = fields.keepsRest && captured < intent.minorUnits;
      return {
        ...intent,
        captured,
        status: isOpen ? "requires_capture" : "succeeded",
        metadata: mergeMetadata(intent.metadata, fields.metadata),
      };
    }
    case EffectType.VOID:
      return canceled(intent, timeMs, fields.reason);
    case EffectType.REFUND:
      return {
        ...intent,
        refunds: [
          ...intent.refunds,
          {
            id: fields.refund,
            processorKey,
            minorUnits,
            reason: fields.reason,
            metadata: { ...fields.metadata },
            createTimeMs: timeMs,
          },
        ],
      };
    case EffectType.UNSPECIFIED:
      throw new Error("an effect needs a type");
  }
}

export function canceled(intent: Intent, cancelTimeMs: number, cancelReason: string): Intent {
  return { ...intent, status: "canceled", cancelTimeMs, cancelReason };
}

/** The sum of an intent's refunds. */
export function refundedOf({ refunds }: Intent): bigint {
  return refunds.reduce((sum, { minorUnits }) => sum + minorUnits, 0n);
}

/** The rest of an authorization that may be captured. */
export function capturableOf({ status, minorUnits, captured }: Intent): bigint {
  return status === "requires_capture" ? minorUnits - captured : 0n;
}

function charged(intent: Intent, chargeTimeMs: number): Intent {
  return { ...intent, chargeTimeMs, declineCode: undefined };
}

function createTimeMsOf({ createTime }: StripeFields): number {
  return createTime === undefined ? 0 : timestampMs(createTime);
}

/** An empty value removes its key. */
function mergeMetadata(before: Metadata, changes: Metadata): Metadata {
  const merged = Object.entries({ ...before, ...changes });
  return Object.fromEntries(merged.filter(([key, value]) => changes[key] !== "" && value !== ""));
}
