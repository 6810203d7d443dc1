import { isMessage } from "@bufbuild/protobuf";
import {
  type CreatePaymentRequest,
  CreatePaymentRequestSchema,
} from "../gen/payonce/payments/v1/payments_pb.js";
import type { Execution } from "../idempotency/execution/call.js";
import type { Scope } from "../idempotency/port/scope.js";
import type { Fingerprint } from "../idempotency/request/fingerprint.js";
import { settled } from "../runtime/batches.js";
import { type ReadMoment, readMoment as readSystemMoment } from "./key-window.js";
import { type Begun, begunNow } from "./postgres/begin.js";
import { CREATIONS, creationColumns } from "./postgres/creations.js";
import { creationOf } from "./postgres/plans.js";
import { readCreate } from "./requests.js";

/** A call whose key is claimed. */
interface Claiming {
  readonly scope: Scope;
  readonly fingerprint: Fingerprint;
  readonly message?: object;
}

/**
 * Payments that begin in the statement of their claim: nothing needs to be read
 * before, since nobody can have begun them. A request that is not valid is left
 * to its handler, which refuses it.
 */
export interface FirstWork {
  concerns(request: Claiming): boolean;
  readonly work: typeof CREATIONS;
  begin(
    requests: readonly Claiming[],
    time: Date,
  ): {
    readonly begun: readonly (BegunWithClaim | undefined)[];
    readonly values: readonly Buffer[];
  };
}

/** A payment that has begun with the claim of its call. */
export class BegunWithClaim {
  constructor(readonly payment: Begun) {}
}

export function createFirstWork(readMoment: ReadMoment = readSystemMoment): FirstWork {
  return {
    concerns: ({ message }) => isCreation(message),
    work: CREATIONS,

    begin(requests, time) {
      const readAt = readMoment();
      const plans = requests.map(({ scope, fingerprint, message }) => {
        const intent = isCreation(message) ? settled(() => readCreate(message)) : undefined;
        return intent?.ok
          ? creationOf({ scope, fingerprint, time, readAt }, intent.value.terms)
          : undefined;
      });
      return {
        begun: plans.map((plan) => plan && new BegunWithClaim(begunNow(plan, { time, readAt }))),
        values: creationColumns(plans.filter((plan) => plan !== undefined)),
      };
    },
  };
}

/** The work that began with the claim of an execution, if any did. */
export function begunWithClaim({ begun }: Pick<Execution, "begun">): Begun | undefined {
  return begun instanceof BegunWithClaim ? begun.payment : undefined;
}

function isCreation(message: object | undefined): message is CreatePaymentRequest {
  return isMessage(message, CreatePaymentRequestSchema);
}
