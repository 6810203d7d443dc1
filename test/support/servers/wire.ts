import type { SandboxUnderTest } from "./sandbox.js";

/** The form in which services speak to the sandbox: its own, or Stripe's through Stripe's package. */
export type Wire = "sandbox" | "stripe";

/** The form that a test run is told to use: TEST_PROCESSOR. */
export function wireOfRun(): Wire {
  const given = process.env.TEST_PROCESSOR ?? "sandbox";
  if (given !== "sandbox" && given !== "stripe") {
    throw new Error("TEST_PROCESSOR accepts sandbox or stripe");
  }
  return given;
}

/** What a sandbox is started with, to speak a form. */
export function sandboxSettings(wire: Wire): Readonly<Record<string, string>> {
  return wire === "sandbox"
    ? {}
    : { SANDBOX_STRIPE_LISTEN: "127.0.0.1:0", SANDBOX_STRIPE_MULTICAPTURE: "on" };
}

/** Where services reach a sandbox in a form. */
export function wireAddress(
  { address, stripeAddress = "" }: Pick<SandboxUnderTest, "address" | "stripeAddress">,
  wire: Wire,
): string {
  return wire === "sandbox" ? address : stripeAddress;
}

/** The settings of services that reach their processor at an address. */
export function processorSettings(wire: Wire, address: string): Readonly<Record<string, string>> {
  return wire === "sandbox"
    ? { PROCESSOR_URL: address }
    : {
        PROCESSOR_URL: "stripe:",
        STRIPE_SECRET_KEY: "sk_test_51payonce",
        STRIPE_API_BASE: `http://${address}`,
        STRIPE_MULTICAPTURE: "on",
      };
}
