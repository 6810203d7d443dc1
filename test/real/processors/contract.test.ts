import { describe, expect, it } from "vitest";
import {
  type SandboxProfile,
  sandboxProfileNames,
  sandboxProfiles,
} from "../../../src/payments/processors/sandbox-traits.js";
import { profiles } from "../../../src/sandbox/profiles.js";
import { processorContract } from "../../../src/testing/index.js";
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

it("nothing is left out for the sandbox alone, and for the others what they have no look-up for", () => {
  const notRun = (profile?: SandboxProfile) =>
    processorContract(sandboxSetup(profile)).flatMap((test) => test.notRun ?? []);
  expect(notRun()).toEqual([]);
  for (const profile of sandboxProfileNames) {
    const reasons = sandboxProfiles[profile].name;
    const isFindable = "lookUp" in sandboxProfiles[profile];
    expect(new Set(notRun(profile)), reasons).toEqual(
      new Set(isFindable ? [] : ["the adapter declares no look-up"]),
    );
  }
});
