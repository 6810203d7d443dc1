import type { JsonObject } from "@bufbuild/protobuf";
import { authenticateIntent, cancelIntent, captureIntent, expireIntent } from "./change-intent.js";
import { createIntent } from "./create-intent.js";
import { createRefund } from "./create-refund.js";
import type { Deciding } from "./decide.js";
import { StripeError } from "./errors.js";
import type { Form } from "./form.js";
import type { Operation } from "./operation.js";
import { parameters, readParameters } from "./parameters.js";
import type { Reads } from "./reads.js";

/** What a request asks for, its parameters checked. */
export type Routed =
  | { readonly kind: "read"; readonly read: () => JsonObject }
  | { readonly kind: "operation"; readonly operation: Operation };

/** @throws StripeError for what there is not, and for parameters that are refused. */
export type Router = (request: StripeRequest) => Routed;

export interface StripeRequest {
  readonly method: string;
  readonly path: string;
  readonly form: Form;
  /** The version of the API that it is written for. */
  readonly version: string;
}

// From here on PaymentIntents have no payment_method_types.
const ENDIVE = "2026-09-30";

export function createRouter(deciding: Deciding, reads: Reads): Router {
  return ({ method, path, form, version: apiVersion }) => {
    const [version, resource, ...rest] = path.split("/").slice(1);
    const route = `${method} ${version}/${resource}${rest.map(() => "/*").join("")}`;
    const [id = "", action = ""] = rest;
    const read = (run: () => JsonObject): Routed => ({ kind: "read", read: run });
    const operation = (made: Operation): Routed => ({ kind: "operation", operation: made });
    switch (route) {
      case "GET v1/account":
        return read(() => ACCOUNT);
      case "GET v1/balance":
        return read(() => BALANCE);
      case "GET v1/payment_intents":
        return read(() => reads.listIntents(form));
      case "GET v1/payment_intents/*":
        return read(() => (id === "search" ? reads.searchIntents(form) : reads.intent(id, form)));
      case "GET v1/charges":
        return read(() => reads.listCharges(form));
      case "GET v1/charges/*":
        return read(() => reads.charge(id, form));
      case "GET v1/refunds":
        return read(() => reads.listRefunds(form));
      case "GET v1/refunds/*":
        return read(() => reads.refund(id, form));
      case "POST v1/payment_intents":
        return operation(
          createIntent(
            deciding,
            apiVersion < ENDIVE
              ? readParameters(parameters.createIntentBeforeEndive, form)
              : readParameters(parameters.createIntent, form),
          ),
        );
      case "POST v1/refunds":
        return operation(createRefund(deciding, readParameters(parameters.createRefund, form)));
      case "POST v1/payment_intents/*/*":
        switch (action) {
          case "capture":
            return operation(
              captureIntent(deciding, id, readParameters(parameters.captureIntent, form)),
            );
          case "cancel":
            return operation(
              cancelIntent(deciding, id, readParameters(parameters.cancelIntent, form)),
            );
        }
        break;
      case "POST sandbox/payment_intents/*/*":
        switch (action) {
          case "authenticate":
            return operation(
              authenticateIntent(deciding, id, readParameters(parameters.authenticate, form)),
            );
          case "expire":
            readParameters(parameters.nothing, form);
            return operation(expireIntent(deciding, id));
        }
    }
    throw new StripeError(404, {
      type: "invalid_request_error",
      message: `Unrecognized request URL (${method}: ${path}). The sandbox knows a part of Stripe's API only.`,
    });
  };
}

const ACCOUNT: JsonObject = {
  id: "acct_payoncesandbox",
  object: "account",
  business_profile: null,
  business_type: null,
  capabilities: { card_payments: "active", transfers: "active" },
  charges_enabled: true,
  controller: { type: "account" },
  country: "DE",
  created: 1_767_225_600,
  default_currency: "eur",
  details_submitted: true,
  email: null,
  external_accounts: null,
  future_requirements: null,
  metadata: {},
  payouts_enabled: true,
  requirements: null,
  settings: null,
  tos_acceptance: null,
  type: "standard",
};

const BALANCE: JsonObject = {
  object: "balance",
  available: [{ amount: 0, currency: "eur", source_types: { card: 0 } }],
  connect_reserved: [],
  livemode: false,
  pending: [{ amount: 0, currency: "eur", source_types: { card: 0 } }],
};
