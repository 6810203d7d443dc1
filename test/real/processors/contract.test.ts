import { describe, expect, it } from "vitest";
import {
  type SandboxProfile,
  sandboxProfiles,
} from "../../../src/payments/processors/sandbox-traits.js";
import { profiles } from "../../../src/sandbox/profiles.js";
import { processorContract } from "../../../src/testing/index.js";
import { sandboxSetup } from "../../support/payments/sandbox-double.js";

const names = Object.keys(profiles) as SandboxProfile[];

describe("the sandbox", () => {
  for (const { name, run } of processorContract(sandboxSetup())) {
    it(name, run);
  }
});

describe.each(names)("the sandbox with the habits of %s", (profile) => {
  for (const { name, run } of processorContract(sandboxSetup(profile))) {
    it(name, run);
  }
});

it("the adapter declares something of every profile, and of no other", () => {
  expect(Object.keys(sandboxProfiles)).toEqual(names);
});

it("nothing is left out for the sandbox alone, and for the others what they have no look-up for", () => {
  const notRun = (profile?: SandboxProfile) =>
    processorContract(sandboxSetup(profile)).flatMap((test) => test.notRun ?? []);
  expect(notRun()).toEqual([]);
  for (const profile of names) {
    const reasons = sandboxProfiles[profile].name;
    const isFindable = "lookUp" in sandboxProfiles[profile];
    expect(new Set(notRun(profile)), reasons).toEqual(
      new Set(isFindable ? [] : ["the adapter declares no look-up"]),
    );
  }
});
