import type { JsonObject } from "@bufbuild/protobuf";
import { EffectType } from "../../gen/payonce/sandbox/v1/sandbox_pb.js";
import type { ArmedFaults } from "../faults.js";
import { noSuch } from "./errors.js";
import type { Form } from "./form.js";
import type { Intent } from "./intent.js";
import type { Intents } from "./intents.js";
import { findPage, type Listed, listPage } from "./lists.js";
import { parameters, readParameters } from "./parameters.js";
import { chargeIdOf, clientSecretOf, intentIdOfCharge, type Resources } from "./resources.js";
import { parseQuery } from "./search-query.js";

/** What GETs read. */
export interface ReadingOptions {
  readonly intents: Intents;
  readonly resources: Resources;
  readonly faults: ArmedFaults;
  readonly now: () => Date;
  /** How long a new intent is missing from searches. */
  readonly searchLagMs: number;
}

export interface Reads {
  intent(id: string, form: Form): JsonObject;
  listIntents(form: Form): JsonObject;
  searchIntents(form: Form): JsonObject;
  charge(id: string, form: Form): JsonObject;
  listCharges(form: Form): JsonObject;
  refund(id: string, form: Form): JsonObject;
  listRefunds(form: Form): JsonObject;
}

/** Each of them throws StripeError for parameters that are refused, and for an object that does not exist. */
export function createReads(options: ReadingOptions): Reads {
  const { intents, resources, faults, now, searchLagMs } = options;

  const isHidden = (intent: Intent) =>
    faults.meetLookup({ processorKey: intent.processorKey, type: effectTypeOf(intent) });

  function* listedIntents(expand: readonly string[]): Iterable<Listed> {
    for (const intent of intents.newestFirst()) {
      const { id, createTimeMs } = intent;
      yield {
        id,
        createTimeMs,
        isHidden: () => isHidden(intent),
        toJson: () => resources.intent(intent, expand),
      };
    }
  }

  function* listedCharges(expand: readonly string[], of: string | undefined): Iterable<Listed> {
    for (const intent of only(intents, of)) {
      if (intent.chargeTimeMs !== undefined) {
        yield {
          id: chargeIdOf(intent),
          createTimeMs: intent.chargeTimeMs,
          isHidden: () => isHidden(intent),
          toJson: () => resources.charge(intent, expand),
        };
      }
    }
  }

  function* listedRefunds(expand: readonly string[], of: string | undefined): Iterable<Listed> {
    for (const { refund, intent } of intents.refundsNewestFirst()) {
      const { id, createTimeMs, processorKey } = refund;
      if (of === undefined || of === intent.id) {
        yield {
          id,
          createTimeMs,
          isHidden: () => faults.meetLookup({ processorKey, type: EffectType.REFUND }),
          toJson: () => resources.refund(refund, intent, expand),
        };
      }
    }
  }

  return {
    intent(id, form) {
      const given = readParameters(parameters.retrieveIntent, form);
      const intent = intents.find(id);
      const isMeant =
        given.client_secret === undefined ||
        (intent !== undefined && given.client_secret === clientSecretOf(intent));
      if (intent === undefined || !isMeant) {
        throw noSuch("payment_intent", id, "intent");
      }
      return resources.intent(intent, given.expand);
    },

    listIntents(form) {
      const given = readParameters(parameters.listIntents, form);
      return listPage(listedIntents(ofData(given.expand)), given, "/v1/payment_intents");
    },

    searchIntents(form) {
      const given = readParameters(parameters.searchIntents, form);
      const matches = parseQuery(given.query);
      const newestMs = now().getTime() - searchLagMs;
      const found = [...intents.newestFirst()].filter(
        (intent) => intent.createTimeMs <= newestMs && matches(intent),
      );
      if (found.length === 0) {
        faults.meetLookup({ processorKey: "", type: undefined }); // it meets what finds nothing too
      }
      const expand = ofData(given.expand);
      const listed = found.map((intent) => ({
        id: intent.id,
        createTimeMs: intent.createTimeMs,
        isHidden: () => isHidden(intent),
        toJson: () => resources.intent(intent, expand),
      }));
      const page = { limit: given.limit, starting_after: given.page, created: {} };
      const { data, hasMore, lastId } = findPage(listed, page);
      return {
        object: "search_result",
        url: "/v1/payment_intents/search",
        has_more: hasMore,
        data,
        next_page: hasMore ? lastId : null,
      };
    },

    charge(id, form) {
      const { expand } = readParameters(parameters.nothing, form);
      const intent = intents.find(intentIdOfCharge(id));
      if (intent?.chargeTimeMs === undefined) {
        throw noSuch("charge", id, "id");
      }
      return resources.charge(intent, expand);
    },

    listCharges(form) {
      const given = readParameters(parameters.listOfIntent, form);
      const listed = listedCharges(ofData(given.expand), given.payment_intent);
      return listPage(listed, given, "/v1/charges");
    },

    refund(id, form) {
      const { expand } = readParameters(parameters.nothing, form);
      const found = intents.findRefund(id);
      if (found === undefined) {
        throw noSuch("refund", id, "id");
      }
      return resources.refund(found.refund, found.intent, expand);
    },

    listRefunds(form) {
      const given = readParameters(parameters.listOfIntent, form);
      const of = given.payment_intent ?? (given.charge && intentIdOfCharge(given.charge));
      return listPage(listedRefunds(ofData(given.expand), of), given, "/v1/refunds");
    },
  };
}

function only(intents: Intents, id: string | undefined): Iterable<Intent> {
  if (id === undefined) {
    return intents.newestFirst();
  }
  const intent = intents.find(id);
  return intent === undefined ? [] : [intent];
}

/** What is to be expanded within the objects of a list. */
function ofData(expand: readonly string[]): readonly string[] {
  return expand.map((path) => path.replace(/^data\./, ""));
}

/** The effect that a lookup of an intent finds. */
function effectTypeOf({
  chargeTimeMs,
  declineCode,
  captureMethod,
}: Intent): EffectType | undefined {
  if (chargeTimeMs === undefined || declineCode !== undefined) {
    return undefined;
  }
  return captureMethod === "manual" ? EffectType.AUTHORIZE : EffectType.AUTHORIZE_CAPTURE;
}
