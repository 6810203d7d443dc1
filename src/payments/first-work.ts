import { isMessage } from "@bufbuild/protobuf";
import type { PoolClient } from "pg";
import {
  type CreatePaymentRequest,
  CreatePaymentRequestSchema,
} from "../gen/payonce/payments/v1/payments_pb.js";
import type { Fingerprint } from "../idempotency/fingerprint.js";
import type { Scope } from "../idempotency/scope.js";
import { settled } from "../runtime/batches.js";
import { type ReadMoment, readMoment as readSystemMoment } from "./key-window.js";
import type { Begun } from "./postgres/begin.js";
import { creationOf, writePlans } from "./postgres/plans.js";
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
  begin(transaction: PoolClient, claims: readonly FirstClaim[]): Promise<() => void>;
  /** What has begun for a request, as its handler got it. Once. */
  take(message: object): Begun | undefined;
}

export function createFirstWork(readMoment: ReadMoment = readSystemMoment): FirstWork {
  const begun = new WeakMap<object, Begun>();
  return {
    concerns: ({ message }) => isCreation(message),

    async begin(transaction, claims) {
      const readAt = readMoment();
      const plans = claims.flatMap(({ request: { scope, fingerprint, message }, time }) => {
        if (!isCreation(message)) {
          return [];
        }
        const intent = settled(() => readCreate(message));
        const beginning = { scope, fingerprint, time, readAt };
        return intent.ok ? [{ message, plan: creationOf(beginning, intent.value.terms) }] : [];
      });
      await writePlans(
        transaction,
        plans.map(({ plan }) => plan),
      );
      return () => {
        for (const { message, plan } of plans) {
          const { operation, payment } = plan;
          begun.set(message, { operation, payment, begunAgoMs: 0, readAt, isNew: true });
        }
      };
    },

    take(message) {
      const found = begun.get(message);
      begun.delete(message);
      return found;
    },
  };
}

function isCreation(message: object | undefined): message is CreatePaymentRequest {
  return isMessage(message, CreatePaymentRequestSchema);
}
