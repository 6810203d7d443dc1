import type { KeyTraits, ProcessorTraits } from "../processor.js";

const HOUR_MS = 3_600_000;

/** The way in which the sandbox itself honours keys. */
export const sandboxKeys: KeyTraits = {
  windowMs: 24 * HOUR_MS,
  maxLength: 255,
  otherRequest: "refused",
  inFlight: "waits",
  repetition: "first_answer",
  keepsErrors: "declines",
};

/** The sandbox, as long as it has the habits of no other acquirer. */
export const sandboxTraits: ProcessorTraits = {
  name: "sandbox",
  keys: sandboxKeys,
  lookUp: { visibleAfterMs: 0 },
  capturesInParts: true,
};

/** What a lagging look-up of the sandbox takes at the most. Acquirers take up to hours. Milliseconds. */
const LAG_MS = 500;

const lagging = { visibleAfterMs: LAG_MS };

/**
 * The sandbox with the habits of an acquirer: its SANDBOX_PROFILE. Where an
 * acquirer has no look-up by our names, none is declared, and none is used.
 */
export const sandboxProfiles = {
  stripe: {
    name: "sandbox (stripe)",
    keys: { ...sandboxKeys, inFlight: "refused", keepsErrors: "all" },
    lookUp: lagging,
    capturesInParts: false,
  },
  adyen: {
    name: "sandbox (adyen)",
    keys: {
      ...sandboxKeys,
      windowMs: 7 * 24 * HOUR_MS,
      maxLength: 64,
      otherRequest: "first_answer",
      inFlight: "refused",
    },
    capturesInParts: true,
  },
  checkout: {
    name: "sandbox (checkout)",
    keys: {
      ...sandboxKeys,
      otherRequest: "first_answer",
      inFlight: "refused",
      keepsErrors: "none",
    },
    lookUp: { visibleAfterMs: 0 },
    capturesInParts: true,
  },
  paypal: {
    name: "sandbox (paypal)",
    keys: {
      ...sandboxKeys,
      windowMs: 6 * HOUR_MS,
      maxLength: 108,
      otherRequest: "first_answer",
      inFlight: "refused",
      repetition: "present_state",
    },
    capturesInParts: true,
  },
  worldline: {
    name: "sandbox (worldline)",
    keys: {
      ...sandboxKeys,
      maxLength: 40,
      otherRequest: "first_answer",
      inFlight: "refused",
      repetition: "present_state",
    },
    capturesInParts: true,
  },
  square: {
    name: "sandbox (square)",
    keys: { ...sandboxKeys, maxLength: 45 },
    capturesInParts: false,
  },
  braintree: { name: "sandbox (braintree)", lookUp: lagging, capturesInParts: false },
} as const satisfies Record<string, ProcessorTraits>;

export type SandboxProfile = keyof typeof sandboxProfiles;

export const sandboxProfileNames: readonly SandboxProfile[] = [
  "stripe",
  "adyen",
  "checkout",
  "paypal",
  "worldline",
  "square",
  "braintree",
];
