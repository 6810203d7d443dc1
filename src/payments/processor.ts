import type { Money } from "./money.js";
import type { Operated, OperationKind } from "./operation.js";
import type { NextAction, Payment } from "./payment.js";

/** What the processor says of itself as evidence: short, and without secrets or card data. */
export type Evidence = Readonly<Record<string, string>>;

/** The processor's decision. All kinds are final for their processor key. */
export type ProcessorDecision =
  | {
      readonly kind: "approved";
      /** The processor's own name for the effect. Later effects on a payment name its authorization so. */
      readonly reference?: string;
      /** The time at which the acquirer gives up what is reserved; absent where it does not say. */
      readonly expireTime?: Date;
      readonly evidence?: Evidence;
    }
  /** Only of an authorization: the customer has to act first. A look-up says what becomes of it. */
  | {
      readonly kind: "requires_action";
      readonly nextAction: NextAction;
      readonly reference?: string;
      readonly evidence?: Evidence;
    }
  | {
      readonly kind: "declined";
      readonly declineCode: string;
      readonly evidence?: Evidence;
    };

/** Names the effect for good: the processor does it at most once, and repeats its answer. */
export interface ProcessorRequest {
  /** `pk_` and 40 hexadecimal digits. An adapter may derive another one from it, never a random one. */
  readonly processorKey: string;
  readonly tenant: string;
  readonly paymentId: string;
}

export interface AmountRequest extends ProcessorRequest {
  readonly amount: Money;
}

export interface AuthorizeRequest extends AmountRequest {
  /** The token of a payment method. */
  readonly paymentMethod: string;
  /** Take the money in the same effect. */
  readonly capture: boolean;
}

/** An authorization that a later effect is on. */
export interface Authorized {
  /** The reference that the authorization was approved with; absent where none is stored. */
  readonly authorization?: string;
}

export interface CaptureRequest extends AmountRequest, Authorized {}
export interface VoidRequest extends ProcessorRequest, Authorized {}
export interface RefundRequest extends AmountRequest, Authorized {}

/** Asks what became of an effect. */
export interface LookUpRequest extends ProcessorRequest, Authorized {
  /** Empty where an authorization is looked up by its reference alone. */
  readonly processorKey: string;
  readonly kind: OperationKind;
}

/** The effect that the processor knows under a key, or under the names that were sent with it. */
export interface ProcessorEffect {
  readonly decision: ProcessorDecision;
  /** Absent where the processor does not say. */
  readonly amount?: Money;
  /** The reason, as a code, why an approved authorization has ended since without a capture. */
  readonly endedBy?: string;
  /** True of a declined authorization that its customer may yet turn into an approved one. */
  readonly isOpen?: boolean;
}

/** A payment as the processor has it by now. Sums are minor units, as ISO 4217 has them. */
export interface ListedPayment {
  /** The processor's own name for it. */
  readonly reference: string;
  /** The payment's id, as it was sent along. Absent in what others have made. */
  readonly paymentId?: string;
  readonly currencyCode: string;
  /** The sum of all that was reserved for it, also what was given up later. */
  readonly authorized: bigint;
  readonly captured: bigint;
  readonly refunded: bigint;
  /** True if nothing was captured and nothing can be any more. */
  readonly isCanceled: boolean;
  readonly createTime: Date;
}

/** A span of time: from its beginning, up to its end and without it. */
export interface TimeSpan {
  readonly since: Date;
  readonly until: Date;
}

/** A message that the processor has sent by itself, as it came. */
export interface Webhook {
  readonly body: Uint8Array;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

/** The names of the payment that something is about, as they were sent along. */
export interface PaymentNames {
  readonly tenant: string;
  readonly paymentId: string;
}

/** A message that the processor has not sent, or not now. */
export class WebhookRefused extends Error {
  override readonly name = "WebhookRefused";
}

/** The way in which an acquirer honours keys. */
export interface KeyTraits {
  /** The time for which it remembers a key, at the least. Milliseconds. */
  readonly windowMs: number;
  /** The longest key that it takes. Characters. */
  readonly maxLength: number;
  /**
   * What it does with a key that comes again with another request: refuses it, or answers as to the
   * first. One that executes it honours no keys.
   */
  readonly otherRequest: "refused" | "first_answer";
  /**
   * What it does with a key whose first call is under way: refuses it, or answers both alike. One
   * that executes both honours no keys.
   */
  readonly inFlight: "refused" | "waits";
  /** What a repetition tells: the first answer, or the state that the effect has by now. */
  readonly repetition: "first_answer" | "present_state";
  /** The errors that it keeps: a repetition after another one is executed anew. */
  readonly keepsErrors: "all" | "declines" | "none";
}

/** The way in which an acquirer can be asked for an effect by the names that were sent with it. */
export interface LookUpTraits {
  /** The time after which it finds every effect that there is. Milliseconds. */
  readonly visibleAfterMs: number;
}

/** What an adapter declares about its acquirer. How operations are repeated follows from it. */
export interface ProcessorTraits {
  /** The acquirer, as logs name it. */
  readonly name: string;
  /** Absent where it honours no keys: an effect is then sent once, and looked up afterwards. */
  readonly keys?: KeyTraits;
  /** Absent where no look-up can be relied on. */
  readonly lookUp?: LookUpTraits;
  /** True if a part can be captured, and then another. Otherwise one capture gives up the rest. */
  readonly capturesInParts: boolean;
}

/**
 * A card processor. Every method bounds its own time, and rejects for everything
 * but a decision: with ProcessorRefused where the processor says of itself that
 * this very call does nothing. Any other rejection means that it may have acted
 * or not: a timeout or a broken connection may hide an effect.
 */
export interface Processor {
  readonly traits: ProcessorTraits;
  /** Returns the reason in words why it can never take an amount, if there is one. */
  refusalOf?(amount: Money): string | undefined;
  authorize(request: AuthorizeRequest): Promise<ProcessorDecision>;
  capture(request: CaptureRequest): Promise<ProcessorDecision>;
  void(request: VoidRequest): Promise<ProcessorDecision>;
  refund(request: RefundRequest): Promise<ProcessorDecision>;
  /** Looks up an effect. Undefined proves nothing: a call may still be on its way. */
  lookUp(request: LookUpRequest): Promise<ProcessorEffect | undefined>;
  /** Lists the payments that were approved and created in a span of time, for reconciliation. */
  listPayments?(created: TimeSpan): AsyncIterable<ListedPayment>;
  /**
   * Reads whose payment a message of the processor's is about; undefined where it is about none.
   * Absent where no messages are expected. Nothing else in it is believed: it makes the service ask.
   * @throws WebhookRefused where the processor has not sent it.
   */
  readWebhook?(webhook: Webhook): Promise<PaymentNames | undefined>;
  /** Rejects, in words, where the processor cannot be reached, and with ProcessorRefused where it takes no calls of ours. */
  check?(): Promise<void>;
  close?(): void;
}

/** The processor refuses the call for good. An earlier call under the key may have acted. */
export class ProcessorRefused extends Error {
  override readonly name = "ProcessorRefused";

  constructor(
    /**
     * - `invalid`: the processor accepts no such request, whatever its key has done
     * - `key_reused`: its key has done something else, or the same for another amount
     */
    readonly refusal: "invalid" | "key_reused",
    readonly detail: string,
  ) {
    super(`the processor refuses the call: ${detail}`);
  }
}

/** The processor was asked, and may have acted or not. */
export class ProcessorUnknown extends Error {
  override readonly name = "ProcessorUnknown";

  constructor(cause: unknown) {
    const detail = cause instanceof Error ? cause.message : String(cause);
    super(`the processor's answer is not known: ${detail}`, { cause });
  }
}

/** Sends an operation to the processor, from what is stored alone, so that every attempt sends the same. */
export async function send(processor: Processor, operated: Operated): Promise<ProcessorDecision> {
  const { operation, payment } = operated;
  const request = requestOf(operated);
  const amount = { currencyCode: operation.currencyCode, minorUnits: operation.minorUnits };
  switch (operation.kind) {
    case "create":
      return processor.authorize({
        ...request,
        amount,
        paymentMethod: payment.paymentMethod,
        capture: payment.captureMethod === "AUTOMATIC",
      });
    case "capture":
      return processor.capture({ ...request, amount });
    case "cancel":
      return processor.void(request);
    case "refund":
      return processor.refund({ ...request, amount });
  }
}

/** Looks up what became of an operation. */
export function lookUp(
  processor: Processor,
  operated: Operated,
): Promise<ProcessorEffect | undefined> {
  return processor.lookUp({ ...requestOf(operated), kind: operated.operation.kind });
}

function requestOf(operated: Operated): ProcessorRequest & Authorized {
  return { processorKey: operated.operation.processorKey, ...namesOf(operated.payment) };
}

/** The names of a payment, ours and the processor's. */
export function namesOf({
  tenant,
  id,
  processorReference,
}: Pick<Payment, "tenant" | "id" | "processorReference">): PaymentNames & Authorized {
  return {
    tenant,
    paymentId: id,
    ...(processorReference === "" ? {} : { authorization: processorReference }),
  };
}
