import { create, fromJson, type JsonValue, toJson } from "@bufbuild/protobuf";
import { type Effect, EffectSchema, EffectType } from "../gen/payonce/sandbox/v1/sandbox_pb.js";
import type { EffectRequest } from "./effect-request.js";
import type { DeclinedRequest } from "./verdict.js";

/** An effect as a line: its message in proto JSON. */
export function effectToLine(effect: Effect): string {
  return JSON.stringify(toJson(EffectSchema, effect, { useProtoFieldName: true }));
}

/** @throws if the line is not the effect that belongs there. */
export function effectFromLine(line: string, sequence: bigint): Effect {
  const effect = fromJson(EffectSchema, JSON.parse(line));
  if (effect.sequence !== sequence) {
    throw new Error(`its sequence is ${effect.sequence}, expected ${sequence}`);
  }
  assertComplete(effect);
  return effect;
}

/** A decline as a line: the effect that did not come about, and why. */
export function declineToLine({ request, declineCode, afterSequence }: DeclinedRequest): string {
  return JSON.stringify({
    decline_code: declineCode,
    after_sequence: afterSequence.toString(),
    request: toJson(EffectSchema, create(EffectSchema, request), { useProtoFieldName: true }),
  });
}

/** @throws if the line is not a decline. */
export function declineFromLine(line: string): DeclinedRequest {
  const fields: Record<string, JsonValue> = JSON.parse(line);
  const { decline_code: declineCode, after_sequence: afterSequence } = fields;
  if (typeof declineCode !== "string" || typeof afterSequence !== "string") {
    throw new Error("decline_code and after_sequence must be strings");
  }
  const request = fromJson(EffectSchema, fields.request ?? null);
  assertComplete(request);
  return { request, declineCode, afterSequence: BigInt(afterSequence) };
}

function assertComplete(request: EffectRequest): void {
  const needsAmount = request.type !== EffectType.VOID;
  if (
    request.type === EffectType.UNSPECIFIED ||
    request.processorKey === "" ||
    request.paymentId === "" ||
    needsAmount !== (request.amount !== undefined)
  ) {
    throw new Error("type, processor_key, payment_id or amount is missing");
  }
}
