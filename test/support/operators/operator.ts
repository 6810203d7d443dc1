import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type Record as HeldRecord,
  RecordState,
  type ResolveKeyRequestSchema,
} from "../../../src/gen/payonce/idempotency/v1/inspection_pb.js";
import { Code } from "../../../src/idempotency/answers/code.js";
import type { Scope } from "../../../src/idempotency/port/scope.js";
import type { PaymentsClient } from "../payments/payments-client.js";
import { waitUntil } from "../service/service-process.js";

/** Until recovery has parked a key whose window is over, on a busy machine. */
const HELD_LIMIT_MS = 40_000;

type Resolution = MessageInitShape<typeof ResolveKeyRequestSchema>["resolution"] & object;

/** What an operator may say of a payment's key, by the name that ResolveKey has for it. */
export const resolutions = {
  response: { case: "response", value: new Uint8Array() },
  error: { case: "error", value: { code: Code.FAILED_PRECONDITION } },
  not_executed: { case: "notExecuted", value: {} },
} satisfies Record<string, Resolution>;

export type ResolutionKind = keyof typeof resolutions;

/** Waits until a key is held. */
export async function untilHeld(client: PaymentsClient, scope: Scope): Promise<HeldRecord> {
  let held: HeldRecord | undefined;
  await waitUntil(async () => {
    const { response } = await client.getRecord({ name: nameOf(scope) });
    held = response?.record;
    return held?.state === RecordState.HELD;
  }, HELD_LIMIT_MS);
  if (held === undefined) {
    throw new Error(`the key ${scope.key} is not held`);
  }
  return held;
}

/** Ends a held key as it was read. */
export function resolve(
  client: PaymentsClient,
  { operation, idempotencyKey, fencingToken }: HeldRecord,
  kind: ResolutionKind,
) {
  return client.resolveKey({
    name: { operation, idempotencyKey },
    fencingToken,
    reason: "the processor's journal says so",
    resolution: resolutions[kind],
  });
}

function nameOf({ operation, key }: Scope) {
  return { operation, idempotencyKey: key };
}
