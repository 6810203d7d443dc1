import { EffectType } from "../gen/payonce/sandbox/v1/sandbox_pb.js";
import type { EffectRequest } from "./effect-request.js";

/** The sums of the approved effects of one payment. Amounts are minor units. */
export interface Account {
  readonly currencyCode: string;
  readonly authorized: bigint;
  readonly captured: bigint;
  readonly refunded: bigint;
  readonly voided: boolean;
}

/** The reason why a payment's state does not allow an effect. */
export type AccountDecline =
  | "not_authorized"
  | "already_voided"
  | "already_captured"
  | "currency_mismatch"
  | "amount_exceeds_authorized"
  | "amount_exceeds_captured";

/**
 * Finds the reason why a payment's state does not allow an effect; undefined where
 * it does. A second authorization is allowed: to a processor it is one more charge, and a caller that did not
 * mean it must find it in the journal.
 */
export function findDecline(
  account: Account | undefined,
  request: EffectRequest,
): AccountDecline | undefined {
  const { amount } = request;
  if (account === undefined) {
    return isAuthorization(request.type) ? undefined : "not_authorized";
  }
  if (amount !== undefined && amount.currencyCode !== account.currencyCode) {
    return "currency_mismatch";
  }
  const minorUnits = amount?.minorUnits ?? 0n;
  switch (request.type) {
    case EffectType.AUTHORIZE:
    case EffectType.AUTHORIZE_CAPTURE:
      return undefined;
    case EffectType.CAPTURE:
      if (account.voided) {
        return "already_voided";
      }
      return account.captured + minorUnits > account.authorized
        ? "amount_exceeds_authorized"
        : undefined;
    case EffectType.VOID:
      if (account.voided) {
        return "already_voided";
      }
      return account.captured > 0n ? "already_captured" : undefined;
    case EffectType.REFUND:
      return account.refunded + minorUnits > account.captured
        ? "amount_exceeds_captured"
        : undefined;
    case EffectType.UNSPECIFIED:
      throw new Error("an effect needs a type");
  }
}

/** The account after an effect that was approved. */
export function applyEffect(account: Account | undefined, request: EffectRequest): Account {
  const minorUnits = request.amount?.minorUnits ?? 0n;
  const before = account ?? {
    currencyCode: request.amount?.currencyCode ?? "",
    authorized: 0n,
    captured: 0n,
    refunded: 0n,
    voided: false,
  };
  switch (request.type) {
    case EffectType.AUTHORIZE:
      return { ...before, authorized: before.authorized + minorUnits, voided: false };
    case EffectType.AUTHORIZE_CAPTURE:
      return {
        ...before,
        authorized: before.authorized + minorUnits,
        captured: before.captured + minorUnits,
        voided: false,
      };
    case EffectType.CAPTURE:
      return { ...before, captured: before.captured + minorUnits };
    case EffectType.VOID:
      return { ...before, authorized: 0n, voided: true };
    case EffectType.REFUND:
      return { ...before, refunded: before.refunded + minorUnits };
    case EffectType.UNSPECIFIED:
      throw new Error("an effect needs a type");
  }
}

function isAuthorization(type: EffectType): boolean {
  return type === EffectType.AUTHORIZE || type === EffectType.AUTHORIZE_CAPTURE;
}
