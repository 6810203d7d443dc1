import { describe, expect, it } from "vitest";
import type {
  AuthorizeRequest,
  LookUpRequest,
  Processor,
  ProcessorDecision,
} from "../../../src/payments/processor.js";
import {
  type SandboxProfile,
  sandboxProfileNames,
  sandboxProfiles,
} from "../../../src/payments/processors/sandbox-traits.js";
import { profiles } from "../../../src/sandbox/profiles.js";
import { ContractViolation, processorContract } from "../../../src/testing/index.js";
import { sandboxSetup } from "../../support/payments/sandbox-double.js";

describe("the sandbox", () => {
  for (const { name, run } of processorContract(sandboxSetup())) {
    it(name, run);
  }
});

describe.each(sandboxProfileNames)("the sandbox with the habits of %s", (profile) => {
  for (const { name, run } of processorContract(sandboxSetup(profile))) {
    it(name, run);
  }
});

it("the adapter declares something of every profile, and of no other", () => {
  expect(Object.keys(sandboxProfiles)).toEqual(sandboxProfileNames);
  expect(Object.keys(profiles)).toEqual(sandboxProfileNames);
});

it("nothing is left out but what the sandbox has no method for, and the acquirer no look-up", () => {
  const notRun = (profile?: SandboxProfile) =>
    new Set(processorContract(sandboxSetup(profile)).flatMap((test) => test.notRun ?? []));
  const noMethod = "the double has no payment method that is requiresAction";
  expect(notRun()).toEqual(new Set([noMethod]));
  for (const profile of sandboxProfileNames) {
    const noLookUp = "the adapter declares no look-up";
    const expected =
      "lookUp" in sandboxProfiles[profile]
        ? [noMethod]
        : [noMethod, noLookUp, `${noLookUp}, ${noMethod}`];
    expect(notRun(profile), profile).toEqual(new Set(expected));
  }
});

describe("an adapter whose customers have to act", () => {
  /** The sandbox approves nothing that waits, so what waits is not sent to it. */
  const waiting = (decision: ProcessorDecision) => (processor: Processor) => {
    const isWaiting = new Set<string>();
    return {
      ...processor,
      async authorize(request: AuthorizeRequest) {
        if (request.paymentMethod !== "tok_action") {
          return processor.authorize(request);
        }
        isWaiting.add(request.processorKey);
        return decision;
      },
      lookUp: async (request: LookUpRequest) =>
        isWaiting.has(request.processorKey) ? { decision } : processor.lookUp(request),
    };
  };
  const testsWith = (decision: ProcessorDecision) => {
    const setup = sandboxSetup(undefined, waiting(decision));
    const paymentMethods = { ...setup.paymentMethods, requiresAction: "tok_action" };
    const tests = processorContract({ ...setup, paymentMethods });
    return tests.filter(({ name }) => name.includes("whose customer has to act"));
  };

  const redirectUrl = "https://bank.example/challenge";
  for (const { name, run } of testsWith({ kind: "requires_action", nextAction: { redirectUrl } })) {
    it(name, run);
  }

  it("breaks the contract where it does not say how, or says that it is declined", async () => {
    for (const decision of [
      { kind: "requires_action", nextAction: {} },
      { kind: "declined", declineCode: "authentication_required" },
    ] as const) {
      const tests = testsWith(decision);
      expect(tests).toHaveLength(3);
      for (const { run } of tests) {
        await expect(run()).rejects.toBeInstanceOf(ContractViolation);
      }
    }
  });
});
