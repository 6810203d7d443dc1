import type { Scope } from "../../src/idempotency/port/scope.js";
import type { Random } from "../support/random.js";
import type { Attempt } from "./attempt.js";
import { TENANT } from "./settings.js";
import type { Target } from "./target.js";

/** What one case has to work with. */
export interface Context {
  readonly target: Target;
  /** Of this case alone, so that it can be repeated alone. */
  readonly random: Random;
  /** A key that no other case has. */
  readonly key: string;
}

/** One kind of attack, of which each case is another one. */
export interface Kind {
  readonly name: string;
  /** How often it is drawn: 10 where a case costs a request, less where it costs more. */
  readonly weight: number;
  attack(context: Context): Promise<Attempt | readonly Attempt[]>;
}

const CREATE_OPERATION = "payonce.payments.v1.PaymentService/CreatePayment";

/** What a key of the attackers' stands for. */
export function scopeOf(key: string): Scope {
  return { tenant: TENANT, operation: CREATE_OPERATION, key };
}
