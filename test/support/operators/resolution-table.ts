// What comes of each resolution of each record, and of the calls after it. The
// page docs/resolutions.md shows this table, and the tests of held keys take
// their cells from it.

export type Resolution = "not_executed" | "response" | "error";

export const resolutions: readonly Resolution[] = ["not_executed", "response", "error"];

/** What comes after a resolution. */
export const nextCalls = [
  "the same request",
  "another request",
  "another operation",
  "nobody",
] as const;

export type NextCall = (typeof nextCalls)[number];

/** What a call is told: OK or the reason of an error, and whether that was stored before. */
export interface Told {
  readonly says: string;
  readonly isReplayed: boolean;
}

/** A call, or none, and what is so afterwards. */
export interface Cell<Left> {
  readonly told?: Told;
  readonly left: Left;
}

export interface Row<Left> {
  readonly record: string;
  /** `any`: it makes no difference. */
  readonly resolution: Resolution | "any";
  readonly resolved: {
    /** What ResolveKey is told: OK, or the reason of its refusal. */
    readonly says: string;
    /** The state of the record then. Absent where there is none. */
    readonly state?: "executing" | "released" | "completed" | "expired";
    readonly left: Left;
  };
  readonly next: Readonly<Record<NextCall, Cell<Left>>>;
}

export type HeldRow<Left> = Row<Left> & { readonly resolution: Resolution };

/** A payment, and the effects that the processor has had on it, in their order. */
export interface PaymentLeft {
  readonly status: string;
  readonly declineCode: string;
  readonly captured: bigint;
  readonly refunded: bigint;
  readonly effects: readonly string[];
}

/** How often the handler of another service has run. */
export interface RunsLeft {
  readonly runs: number;
}

/** What a payment is of, and what the captures and refunds are of that are held. */
export const AMOUNT = 10_000n;
export const PART = 4_000n;

const executed: Told = { says: "OK", isReplayed: false };
const answer: Told = { says: "OK", isReplayed: true };
const REUSED = refused("IDEMPOTENCY_KEY_REUSED");

function refused(says: string): Told {
  return { says, isReplayed: false };
}

function replayed(says: string): Told {
  return { says, isReplayed: true };
}

function payment(
  status: string,
  effects: readonly string[],
  {
    declineCode = "",
    captured = 0n,
    refunded = 0n,
  }: Partial<Pick<PaymentLeft, "declineCode" | "captured" | "refunded">> = {},
): PaymentLeft {
  return { status, declineCode, captured, refunded, effects };
}

const declined = (declineCode: string) => payment("DECLINED", [], { declineCode });
const authorized = payment("AUTHORIZED", ["AUTHORIZE"]);
const capturedInPart = payment("PARTIALLY_CAPTURED", ["AUTHORIZE", "CAPTURE"], { captured: PART });
const captured = payment("CAPTURED", ["AUTHORIZE", "CAPTURE"], { captured: AMOUNT });
const capturedInTwo = payment("CAPTURED", ["AUTHORIZE", "CAPTURE", "CAPTURE"], {
  captured: AMOUNT,
});
const canceled = payment("CANCELED", ["AUTHORIZE", "VOID"]);
const refundedBy = (refunded: bigint, refunds: number) =>
  payment("CAPTURED", ["AUTHORIZE_CAPTURE", ...Array(refunds).fill("REFUND")], {
    captured: AMOUNT,
    refunded,
  });

/** A key that is held and is resolved. Another request is always refused, and nobody changes nothing. */
function held<Left>(
  record: string,
  resolution: Resolution,
  {
    left,
    same,
    other,
  }: {
    readonly left: Left;
    readonly same: Cell<Left>;
    /** Another operation. */
    readonly other: Cell<Left>;
  },
): HeldRow<Left> {
  return {
    record,
    resolution,
    resolved: {
      says: "OK",
      state: resolution === "not_executed" ? "released" : "completed",
      left,
    },
    next: {
      "the same request": same,
      "another request": { told: REUSED, left },
      "another operation": other,
      nobody: { left },
    },
  };
}

/** The keys of payments that are held. The other operation captures, or refunds, all that remains. */
export const heldPayments: readonly HeldRow<PaymentLeft>[] = [
  held("held create", "not_executed", {
    left: declined("not_executed"),
    same: { told: executed, left: authorized },
    other: { told: refused("PAYMENT_NOT_CAPTURABLE"), left: declined("not_executed") },
  }),
  held("held create", "response", {
    left: authorized,
    same: { told: answer, left: authorized },
    other: { told: executed, left: captured },
  }),
  held("held create", "error", {
    left: declined("operator"),
    same: { told: answer, left: declined("operator") },
    other: { told: refused("PAYMENT_NOT_CAPTURABLE"), left: declined("operator") },
  }),
  held("held capture", "not_executed", {
    left: authorized,
    same: { told: executed, left: capturedInPart },
    other: { told: executed, left: captured },
  }),
  held("held capture", "response", {
    left: capturedInPart,
    same: { told: answer, left: capturedInPart },
    other: { told: executed, left: capturedInTwo },
  }),
  held("held capture", "error", {
    left: authorized,
    same: { told: replayed("PAYMENT_NOT_CAPTURABLE"), left: authorized },
    other: { told: executed, left: captured },
  }),
  held("held cancel", "not_executed", {
    left: authorized,
    same: { told: executed, left: canceled },
    other: { told: executed, left: captured },
  }),
  held("held cancel", "response", {
    left: canceled,
    same: { told: answer, left: canceled },
    other: { told: refused("PAYMENT_NOT_CAPTURABLE"), left: canceled },
  }),
  held("held cancel", "error", {
    left: authorized,
    same: { told: replayed("PAYMENT_NOT_CANCELABLE"), left: authorized },
    other: { told: executed, left: captured },
  }),
  held("held refund", "not_executed", {
    left: refundedBy(0n, 0),
    same: { told: executed, left: refundedBy(PART, 1) },
    other: { told: executed, left: refundedBy(AMOUNT, 1) },
  }),
  held("held refund", "response", {
    left: refundedBy(PART, 1),
    same: { told: answer, left: refundedBy(PART, 1) },
    other: { told: executed, left: refundedBy(AMOUNT, 2) },
  }),
  held("held refund", "error", {
    left: refundedBy(0n, 0),
    same: { told: replayed("PAYMENT_NOT_REFUNDABLE"), left: refundedBy(0n, 0) },
    other: { told: executed, left: refundedBy(AMOUNT, 1) },
  }),
];

/** The keys of a service under HOLD whose handler has run once. Another operation has another key. */
export const heldElsewhere: readonly HeldRow<RunsLeft>[] = [
  held("held, another service", "not_executed", {
    left: { runs: 1 },
    same: { told: executed, left: { runs: 2 } },
    other: { told: executed, left: { runs: 1 } },
  }),
  held("held, another service", "response", {
    left: { runs: 1 },
    same: { told: answer, left: { runs: 1 } },
    other: { told: executed, left: { runs: 1 } },
  }),
  held("held, another service", "error", {
    left: { runs: 1 },
    same: { told: replayed("AS_FOUND"), left: { runs: 1 } },
    other: { told: executed, left: { runs: 1 } },
  }),
];

const RECORD_CHANGED = "RECORD_CHANGED";

/** Keys that are not held, of calls that create a payment. ResolveKey changes nothing. */
export const notHeld: readonly Row<PaymentLeft | undefined>[] = [
  {
    record: "absent",
    resolution: "any",
    resolved: { says: "RECORD_NOT_FOUND", left: undefined },
    next: {
      "the same request": { told: executed, left: authorized },
      "another request": { told: executed, left: authorized },
      "another operation": { told: refused("PAYMENT_NOT_FOUND"), left: undefined },
      nobody: { left: undefined },
    },
  },
  {
    record: "executing",
    resolution: "any",
    resolved: { says: RECORD_CHANGED, state: "executing", left: payment("PROCESSING", []) },
    next: {
      "the same request": { told: refused("REQUEST_IN_PROGRESS"), left: authorized },
      "another request": { told: REUSED, left: authorized },
      "another operation": { told: refused("PAYMENT_BUSY"), left: authorized },
      nobody: { left: authorized },
    },
  },
  {
    record: "released",
    resolution: "any",
    resolved: { says: RECORD_CHANGED, state: "released", left: declined("not_executed") },
    next: {
      "the same request": { told: executed, left: authorized },
      "another request": { told: REUSED, left: declined("not_executed") },
      "another operation": {
        told: refused("PAYMENT_NOT_CAPTURABLE"),
        left: declined("not_executed"),
      },
      nobody: { left: declined("not_executed") },
    },
  },
  {
    record: "completed",
    resolution: "any",
    resolved: { says: RECORD_CHANGED, state: "completed", left: authorized },
    next: {
      "the same request": { told: answer, left: authorized },
      "another request": { told: REUSED, left: authorized },
      "another operation": { told: executed, left: captured },
      nobody: { left: authorized },
    },
  },
  {
    record: "expired",
    resolution: "any",
    resolved: { says: RECORD_CHANGED, state: "expired", left: authorized },
    next: {
      "the same request": { told: refused("IDEMPOTENCY_KEY_EXPIRED"), left: authorized },
      "another request": { told: REUSED, left: authorized },
      "another operation": { told: executed, left: captured },
      nobody: { left: authorized },
    },
  },
];

/** A row of the page: its cells as they are written there. */
export function cellTexts<Left>(
  { record, resolution, resolved, next }: Row<Left>,
  leftText: (left: Left) => string,
): readonly string[] {
  const { says, state } = resolved;
  return [
    record,
    resolution === "any" ? "any" : code(resolution),
    says === "OK" ? `${state}; ${leftText(resolved.left)}` : code(says),
    ...nextCalls.map((call) => {
      const { told, left } = next[call];
      if (told === undefined) {
        return state === "executing" ? `its owner goes on: ${leftText(left)}` : "stays so";
      }
      if (told.isReplayed) {
        return told.says === "OK" ? "the answer" : `the answer, ${code(told.says)}`;
      }
      return told.says === "OK" ? `executed: ${leftText(left)}` : code(told.says);
    }),
  ];
}

/** A payment as the page tells of it. */
export function paymentText(left: PaymentLeft | undefined): string {
  if (left === undefined) {
    return "no payment";
  }
  const { status, declineCode, refunded } = left;
  const decline = declineCode === "" ? "" : `, ${code(declineCode)}`;
  return `${status}${decline}${refunded === 0n ? "" : `, ${refunded / 100n}.00 refunded`}`;
}

export function runsText({ runs }: RunsLeft): string {
  return `ran ${runs === 1 ? "once" : "twice"}`;
}

function code(text: string): string {
  return `\`${text}\``;
}
