import { fromDecimal } from "../amounts.js";

/** A request for an effect, as it comes over the wire. */
export interface Order {
  readonly order: string;
  readonly payment: string;
  readonly merchant: string;
  readonly amount?: string;
  readonly currency?: string;
  readonly card?: string;
  readonly capture?: boolean;
}

interface Entry {
  readonly id: string;
  readonly kind: "authorization" | "sale" | "capture" | "void" | "refund";
  readonly status: "approved" | "refused";
  readonly code?: string;
  readonly order: string;
  readonly payment: string;
  readonly merchant: string;
  readonly amount?: string | undefined;
  readonly currency?: string | undefined;
  /** The charge that it is on; of an authorization or a sale its own. */
  readonly charge: string;
  readonly atMs: number;
}

/** The time after which an entry shows up in the records. Milliseconds. */
const LAG_MS = 300;

/** Refusals of cards, by their numbers. */
const refusals: ReadonlyMap<string, string | undefined> = new Map([
  ["card_good", undefined],
  ["card_without_funds", "51"],
  ["card_refused", "05"],
]);

const actions = { captures: "capture", voids: "void", refunds: "refund" } as const;

/** The books of Oldbank, in memory. */
export function createBooks() {
  const entries: Entry[] = [];

  /** The sum of what was approved on a charge, in minor units. */
  function sumOf(charge: string, ...kinds: readonly Entry["kind"][]): bigint {
    return entries
      .filter((each) => each.charge === charge && each.status === "approved")
      .filter(({ kind }) => kinds.includes(kind))
      .reduce((sum, { amount, currency }) => sum + minorUnitsOf(amount, currency), 0n);
  }

  /** Returns the reason why a charge does not allow an effect. */
  function refusalOn(charge: string, kind: Entry["kind"], minorUnits: bigint): string | undefined {
    const isVoid = entries.some((each) => each.charge === charge && each.kind === "void");
    const taken = sumOf(charge, "sale", "capture");
    switch (kind) {
      case "capture":
        return isVoid || taken + minorUnits > sumOf(charge, "authorization") ? "61" : undefined;
      case "refund":
        return sumOf(charge, "refund") + minorUnits > taken ? "61" : undefined;
      case "void":
        return isVoid || taken > 0n ? "61" : undefined;
      default:
        return undefined;
    }
  }

  return {
    /** Does what is asked for. Undefined where there is no such charge. */
    add(path: string, { card = "", capture, ...order }: Order): Entry | undefined {
      const id = `ob_${entries.length + 1}`;
      const [, , charge = id, action] = path.split("/");
      const isNew = charge === id;
      if (!isNew && !entries.some((each) => each.id === charge)) {
        return undefined;
      }
      const kind = isNew ? (capture ? "sale" : "authorization") : actionOf(action);
      const code = isNew
        ? refusals.has(card)
          ? refusals.get(card)
          : "14"
        : refusalOn(charge, kind, minorUnitsOf(order.amount, order.currency));
      const status = code === undefined ? "approved" : "refused";
      const entry: Entry = {
        id,
        kind,
        status,
        ...(code === undefined ? {} : { code }),
        ...order,
        charge,
        atMs: performance.now(),
      };
      entries.push(entry);
      return entry;
    },
    approved: (tenant: string, paymentId: string) =>
      entries.filter(
        ({ merchant, payment, status }) =>
          merchant === tenant && payment === paymentId && status === "approved",
      ),
    /** The entries that have shown up, and have all the names of a query. */
    visible: (query: URLSearchParams) =>
      entries.filter(
        ({ atMs, order, payment, merchant }) =>
          performance.now() - atMs >= LAG_MS &&
          Object.entries({ order, payment, merchant }).every(
            ([name, value]) => !query.has(name) || query.get(name) === value,
          ),
      ),
  };
}

function actionOf(action: string | undefined): Entry["kind"] {
  if (action === "captures" || action === "voids" || action === "refunds") {
    return actions[action];
  }
  throw new Error(`oldbank has no ${action}`);
}

function minorUnitsOf(amount: string | undefined, currency: string | undefined): bigint {
  return amount === undefined ? 0n : fromDecimal(amount, currency ?? "").minorUnits;
}
