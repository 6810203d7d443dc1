import { isMessage } from "@bufbuild/protobuf";
import {
  type CreatePaymentRequest,
  CreatePaymentRequestSchema,
} from "../gen/payonce/payments/v1/payments_pb.js";
import type { Execution } from "../idempotency/execution/call.js";
import type { Scope } from "../idempotency/port/scope.js";
import type { Fingerprint } from "../idempotency/request/fingerprint.js";
import { settled } from "../runtime/batches.js";
import type { Statement } from "../runtime/statements.js";
import { type ReadMoment, readMoment as readSystemMoment } from "./key-window.js";
import { type Begun, begunNow } from "./postgres/begin.js";
import { creationOf, statementsOf } from "./postgres/plans.js";
import { readCreate } from "./requests.js";

/** A call whose key was claimed for the first time. */
interface FirstClaim {
  readonly request: {
    readonly scope: Scope;
    readonly fingerprint: Fingerprint;
    readonly message?: object;
  };
  readonly time: Date;
}

/**
 * Payments that begin in the commit of their claim: nothing needs to be read
 * before, since nobody can have begun them. A request that is not valid is left
 * to its handler, which refuses it.
 */
export interface FirstWork {
  concerns(request: FirstClaim["request"]): boolean;
  begin(claims: readonly FirstClaim[]): {
    readonly statements: readonly Statement[];
    readonly begun: readonly (BegunWithClaim | undefined)[];
  };
}

/** A payment that has begun with the claim of its call. */
export class BegunWithClaim {
  constructor(readonly payment: Begun) {}
}

export function createFirstWork(readMoment: ReadMoment = readSystemMoment): FirstWork {
  return {
    concerns: ({ message }) => isCreation(message),

    begin(claims) {
      const readAt = readMoment();
      const plans = claims.map(({ request: { scope, fingerprint, message }, time }) => {
        const intent = isCreation(message) ? settled(() => readCreate(message)) : undefined;
        return intent?.ok
          ? creationOf({ scope, fingerprint, time, readAt }, intent.value.terms)
          : undefined;
      });
      return {
        statements: statementsOf(plans.filter((plan) => plan !== undefined)),
        begun: plans.map((plan) => plan && new BegunWithClaim(begunNow(plan, readAt))),
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
