/** The habits of an acquirer that the sandbox takes on. */
export interface Profile {
  /** The way in which it honours keys; absent where every call is executed. */
  readonly keys?: {
    readonly maxLength: number;
    /** What it does with a key that comes again with another request. */
    readonly otherRequest: "refused" | "first_answer";
    /** What it does with a key whose first call is under way. */
    readonly inFlight: "refused" | "waits";
    /** What a repetition tells. */
    readonly repetition: "first_answer" | "present_state";
    /** The answers that it keeps besides approvals: errors of the server too, declines, or none. */
    readonly keepsErrors: "all" | "declines" | "none";
  };
  /** The time after which a look-up finds an effect. Acquirers take up to hours. Milliseconds. */
  readonly lookUpLagMs: number;
  /** False if one capture gives up what is left. */
  readonly capturesInParts: boolean;
}

/** Short enough for a test to wait, long enough for a first look-up to find nothing. */
const LAG_MS = 300;

/**
 * The profiles by their names. What each acquirer says of itself, and where, is
 * in docs/write-a-processor.md; what an adapter declares of each is in
 * payments/processors/sandbox-traits.ts.
 */
export const profiles = {
  stripe: {
    keys: {
      maxLength: 255,
      otherRequest: "refused",
      inFlight: "refused",
      repetition: "first_answer",
      keepsErrors: "all",
    },
    lookUpLagMs: LAG_MS,
    capturesInParts: false,
  },
  adyen: {
    keys: {
      maxLength: 64,
      otherRequest: "first_answer",
      inFlight: "refused",
      repetition: "first_answer",
      keepsErrors: "declines",
    },
    lookUpLagMs: 0,
    capturesInParts: true,
  },
  checkout: {
    keys: {
      maxLength: 255,
      otherRequest: "first_answer",
      inFlight: "refused",
      repetition: "first_answer",
      keepsErrors: "none",
    },
    lookUpLagMs: 0,
    capturesInParts: true,
  },
  paypal: {
    keys: {
      maxLength: 108,
      otherRequest: "first_answer",
      inFlight: "refused",
      repetition: "present_state",
      keepsErrors: "declines",
    },
    lookUpLagMs: 0,
    capturesInParts: true,
  },
  worldline: {
    keys: {
      maxLength: 40,
      otherRequest: "first_answer",
      inFlight: "refused",
      repetition: "present_state",
      keepsErrors: "declines",
    },
    lookUpLagMs: 0,
    capturesInParts: true,
  },
  square: {
    keys: {
      maxLength: 45,
      otherRequest: "refused",
      inFlight: "waits",
      repetition: "first_answer",
      keepsErrors: "declines",
    },
    lookUpLagMs: 0,
    capturesInParts: false,
  },
  braintree: { lookUpLagMs: LAG_MS, capturesInParts: false },
} as const satisfies Record<string, Profile>;

export type ProfileName = keyof typeof profiles;
