import { timestampDate } from "@bufbuild/protobuf/wkt";
import { type Effect, EffectType } from "../../gen/payonce/sandbox/v1/sandbox_pb.js";
import type { ListedPayment, TimeSpan } from "../processor.js";

/**
 * Makes of the journal's effects the charges that they are: each authorization is one. What came
 * later counts for the newest of its payment, since the sandbox knows no other name for it.
 */
export async function* chargesOf(
  effects: AsyncIterable<Effect>,
  { since, until }: TimeSpan,
): AsyncGenerator<ListedPayment> {
  const charges: ListedPayment[] = [];
  const newest = new Map<string, number>();
  for await (const effect of effects) {
    const at = newest.get(effect.paymentId);
    const charge = at === undefined ? undefined : charges[at];
    if (isAuthorization(effect.type)) {
      newest.set(effect.paymentId, charges.length);
      charges.push(authorized(effect));
    } else if (at !== undefined && charge !== undefined) {
      charges[at] = after(charge, effect);
    }
  }
  yield* charges.filter(({ createTime }) => createTime >= since && createTime < until);
}

function isAuthorization(type: EffectType): boolean {
  return type === EffectType.AUTHORIZE || type === EffectType.AUTHORIZE_CAPTURE;
}

function authorized(effect: Effect): ListedPayment {
  const { type, processorKey, paymentId, amount, createTime } = effect;
  const minorUnits = amount?.minorUnits ?? 0n;
  return {
    reference: processorKey,
    paymentId,
    currencyCode: amount?.currencyCode ?? "",
    authorized: minorUnits,
    captured: type === EffectType.AUTHORIZE_CAPTURE ? minorUnits : 0n,
    refunded: 0n,
    isCanceled: false,
    createTime: createTime === undefined ? new Date(0) : timestampDate(createTime),
  };
}

function after(charge: ListedPayment, { type, amount }: Effect): ListedPayment {
  const minorUnits = amount?.minorUnits ?? 0n;
  switch (type) {
    case EffectType.CAPTURE:
      return { ...charge, captured: charge.captured + minorUnits };
    case EffectType.REFUND:
      return { ...charge, refunded: charge.refunded + minorUnits };
    case EffectType.VOID:
      return { ...charge, isCanceled: charge.captured === 0n };
    default:
      return charge;
  }
}
