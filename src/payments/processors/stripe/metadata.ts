import { createHash } from "node:crypto";
import type { ProcessorRequest } from "../../processor.js";

// docs.stripe.com/api/metadata: 50 entries, names of 40 characters, values of 500.

/** Our names for a payment or a refund, which Stripe keeps with it and finds it by. */
export type OurNames = Readonly<
  Record<"payonce_payment_id" | "payonce_tenant" | "payonce_key", string>
>;

export function namesOf({ paymentId, tenant, processorKey }: ProcessorRequest): OurNames {
  return {
    payonce_payment_id: paymentId,
    payonce_tenant: tenant,
    payonce_key: processorKey,
  };
}

export type Metadata = Readonly<Record<string, string>> | null;

/** Returns true if the payment of something at Stripe is ours. */
export function isOfPayment(metadata: Metadata, { paymentId, tenant }: ProcessorRequest): boolean {
  return metadata?.payonce_payment_id === paymentId && metadata.payonce_tenant === tenant;
}

/** A capture is no object of its own at Stripe: it leaves an entry with its intent. */
export function captureEntry(processorKey: string, units: number): Record<string, string> {
  return { [captureName(processorKey)]: `${processorKey} ${units}` };
}

/** Returns the amount of a capture in Stripe's units; undefined where the intent has no such entry. */
export function capturedUnits(metadata: Metadata, processorKey: string): number | undefined {
  const [key, units] = metadata?.[captureName(processorKey)]?.split(" ") ?? [];
  return key === processorKey ? Number(units) : undefined;
}

/** Returns the sum of all captures that an intent names, in Stripe's units. */
export function namedUnits(metadata: Metadata): number {
  return Object.entries(metadata ?? {})
    .filter(([name]) => name.startsWith(CAPTURE_PREFIX))
    .reduce((sum, [, entry]) => sum + Number(entry.split(" ")[1]), 0);
}

const CAPTURE_PREFIX = "payonce_capture_";

/** A key itself is longer than a name may be. */
function captureName(processorKey: string): string {
  const digest = createHash("sha256").update(processorKey).digest("hex");
  return `${CAPTURE_PREFIX}${digest.slice(0, 24)}`;
}
