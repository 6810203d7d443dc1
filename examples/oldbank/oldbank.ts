import { setTimeout as sleep } from "node:timers/promises";
import {
  type LookUpRequest,
  type Money,
  type Processor,
  type ProcessorDecision,
  ProcessorRefused,
  type ProcessorRequest,
  type ProcessorTraits,
} from "../../src/payments/processors/index.js";
import { fromDecimal, refusalOf, toDecimal } from "./amounts.js";

/** Oldbank honours no keys, and what it did shows up in its records some time later. */
export const oldbankTraits: ProcessorTraits = {
  name: "oldbank",
  lookUp: { visibleAfterMs: 500 },
  capturesInParts: true,
};

/** What Oldbank tells of one effect, in its answers and in its records. */
interface Entry {
  readonly id: string;
  readonly kind: "authorization" | "sale" | "capture" | "void" | "refund";
  readonly status: "approved" | "refused";
  readonly code?: string;
  readonly amount?: string;
  readonly currency?: string;
}

/** The reasons of a refusal, by their numbers. Any other is a decline too. */
const declineCodes: ReadonlyMap<string, string> = new Map([
  ["14", "unknown_payment_method"],
  ["51", "insufficient_funds"],
  ["61", "amount_exceeds_limit"],
]);

/** The kinds of entries that are what an operation asks for. */
const kindsOf: Record<LookUpRequest["kind"], readonly Entry["kind"][]> = {
  create: ["authorization", "sale"],
  capture: ["capture"],
  cancel: ["void"],
  refund: ["refund"],
};

const LOOK_AGAIN_MS = 100;

export interface OldbankOptions {
  /** Such as `http://127.0.0.1:8090`. */
  readonly baseUrl: string;
  /** The longest time for which one call may take. Milliseconds. */
  readonly timeoutMs: number;
}

/** The adapter for Oldbank. */
export function createOldbankProcessor({ baseUrl, timeoutMs }: OldbankOptions): Processor {
  async function call<Answer>(path: string, init: RequestInit): Promise<Answer> {
    const response = await fetch(new URL(path, baseUrl), init);
    if (response.status === 400) {
      // Oldbank reads a request before it does anything for it.
      throw new ProcessorRefused("invalid", await response.text());
    }
    if (!response.ok) {
      throw new Error(`oldbank answers with status ${response.status}`);
    }
    return (await response.json()) as Answer; // as Oldbank documents it
  }

  /** Asks for an effect, with our names. The key is Oldbank's order number: it is kept, not honoured. */
  async function post(
    path: string,
    { processorKey, tenant, paymentId }: ProcessorRequest,
    more: object,
    signal = AbortSignal.timeout(timeoutMs),
  ): Promise<ProcessorDecision> {
    const body = JSON.stringify({
      order: processorKey,
      payment: paymentId,
      merchant: tenant,
      ...more,
    });
    return decisionOf(await call<Entry>(path, { method: "POST", body, signal }));
  }

  async function records(query: Record<string, string>, signal: AbortSignal): Promise<Entry[]> {
    return call<Entry[]>(`/records?${new URLSearchParams(query)}`, { signal });
  }

  /** Asks for an effect on an authorization, which Oldbank wants named by its own id. */
  async function postOn(
    action: string,
    request: ProcessorRequest & { readonly authorization?: string },
    more: object = {},
  ): Promise<ProcessorDecision> {
    const signal = AbortSignal.timeout(timeoutMs);
    const id = request.authorization ?? (await findAuthorization(request, signal));
    return post(`/charges/${id}/${action}`, request, more, signal);
  }

  /** Finds the id of a payment's authorization where none is stored, once Oldbank shows it. */
  async function findAuthorization(
    { tenant, paymentId }: ProcessorRequest,
    signal: AbortSignal,
  ): Promise<string> {
    for (;;) {
      const entries = await records({ payment: paymentId, merchant: tenant }, signal);
      const found = entries.find(
        ({ kind, status }) => kindsOf.create.includes(kind) && status === "approved",
      );
      if (found !== undefined) {
        return found.id;
      }
      await sleep(LOOK_AGAIN_MS, undefined, { signal });
    }
  }

  return {
    traits: oldbankTraits,
    refusalOf,
    authorize: ({ paymentMethod, capture, amount, ...request }) =>
      post("/charges", request, { card: paymentMethod, capture, ...fieldsOf(amount) }),
    capture: ({ amount, ...request }) => postOn("captures", request, fieldsOf(amount)),
    void: (request) => postOn("voids", request),
    refund: ({ amount, ...request }) => postOn("refunds", request, fieldsOf(amount)),

    async lookUp({ kind, processorKey, tenant }) {
      const signal = AbortSignal.timeout(timeoutMs);
      const entries = await records({ order: processorKey, merchant: tenant }, signal);
      const entry = entries.find((each) => kindsOf[kind].includes(each.kind));
      if (entry === undefined) {
        return undefined;
      }
      const decision = decisionOf(entry);
      const { amount, currency } = entry;
      return amount === undefined || currency === undefined
        ? { decision }
        : { decision, amount: fromDecimal(amount, currency) };
    },
  };
}

function fieldsOf(amount: Money) {
  return { amount: toDecimal(amount), currency: amount.currencyCode };
}

function decisionOf({ id, status, code = "" }: Entry): ProcessorDecision {
  switch (status) {
    case "approved":
      return { kind: "approved", reference: id, evidence: { id } };
    case "refused":
      return {
        kind: "declined",
        declineCode: declineCodes.get(code) ?? "declined",
        evidence: { id, code },
      };
    default:
      // Such as "pending": whoever takes that for a decision is wrong one day.
      throw new Error(`oldbank answers with the status ${status}`);
  }
}
