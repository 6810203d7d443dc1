import type { Money } from "../../money.js";
import type { OperationKind } from "../../operation.js";
import {
  type Authorized,
  type ProcessorDecision,
  ProcessorRefused,
  type ProcessorRequest,
} from "../../processor.js";
import type { Round, StripeApi } from "./api.js";
import { refusalOf } from "./currencies.js";
import { declineCodeOf, meaningOf } from "./errors.js";
import { evidenceOfFailure } from "./evidence.js";
import { StripeFailure } from "./failure.js";
import { type FindOptions, findIntent } from "./intents.js";

/** An effect to be decided. */
export interface Deciding {
  readonly kind: OperationKind;
  readonly request: ProcessorRequest & Authorized & { readonly amount?: Money };
}

/** Calls Stripe once for an effect. Errors of Stripe's that it throws are read as ones of that call. */
export type SendEffect = (round: Round, intent: string) => Promise<ProcessorDecision>;

/** Creates what has an effect decided by Stripe. An error is a decision where its meaning is one. */
export function createDeciding({
  api,
  find,
}: {
  readonly api: StripeApi;
  readonly find: FindOptions;
}): (deciding: Deciding, send: SendEffect) => Promise<ProcessorDecision> {
  /** The intent of a payment: by the reference of its authorization, else found by our names. */
  async function intentOf(round: Round, { request }: Deciding): Promise<string> {
    const id = request.authorization ?? (await findIntent(round, request, find))?.id;
    if (id === undefined) {
      throw new Error("Stripe has no intent of this payment that can be found");
    }
    return id;
  }

  return async (deciding, send) => {
    const { kind, request } = deciding;
    const reason = request.amount && refusalOf(request.amount);
    if (reason !== undefined) {
      throw new ProcessorRefused("invalid", `amount ${reason}`);
    }
    const round = api.begin();
    // Outside of what follows: an error of a look-up says nothing of the effect.
    const intent = kind === "create" ? "" : await intentOf(round, deciding);
    try {
      return await send(round, intent);
    } catch (error) {
      if (!(error instanceof StripeFailure)) {
        throw error;
      }
      const { facts, message } = error;
      const meaning = meaningOf(facts, kind);
      switch (meaning) {
        case "declined": {
          const evidence = evidenceOfFailure(facts);
          return { kind: "declined", declineCode: declineCodeOf(facts), evidence };
        }
        case "invalid":
        case "key_reused":
          throw new ProcessorRefused(meaning, message);
        case "unknown":
          throw error;
      }
    }
  };
}
