// What an adapter for an acquirer is written against, and the adapters that
// come with the service: see docs/write-a-processor.md.

export type { Money } from "../money.js";
export type { OperationKind } from "../operation.js";
export type { NextAction } from "../payment.js";
export {
  type AmountRequest,
  type AuthorizeRequest,
  type CaptureRequest,
  type Evidence,
  type KeyTraits,
  type ListedPayment,
  type LookUpRequest,
  type LookUpTraits,
  type PaymentNames,
  type Processor,
  type ProcessorDecision,
  type ProcessorEffect,
  ProcessorRefused,
  type ProcessorRequest,
  type ProcessorTraits,
  type RefundRequest,
  type TimeSpan,
  type VoidRequest,
  type Webhook,
  WebhookRefused,
} from "../processor.js";
export { createSandboxProcessor } from "./sandbox.js";
export { createStripeProcessor, type StripeProcessorOptions } from "./stripe/processor.js";
