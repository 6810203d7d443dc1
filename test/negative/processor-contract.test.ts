import { createHash, randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { Money } from "../../src/payments/money.js";
import {
  type Processor,
  type ProcessorDecision,
  ProcessorRefused,
} from "../../src/payments/processor.js";
import { sandboxTraits } from "../../src/payments/processors/sandbox-traits.js";
import {
  ContractViolation,
  type ProcessorContractSetup,
  processorContract,
} from "../../src/testing/index.js";
import { sandboxSetup } from "../support/payments/sandbox-double.js";
import { stripeSetup } from "../support/payments/stripe-double.js";

type Wrap = (processor: Processor) => Processor;

/** The tests of the contract that an adapter fails, with what they say. */
async function failuresOf(setup: ProcessorContractSetup): Promise<ReadonlyMap<string, string>> {
  const failures = new Map<string, string>();
  for (const { name, run } of processorContract(setup)) {
    await run().catch((error: Error) => {
      expect(error).toBeInstanceOf(ContractViolation);
      failures.set(name, error.message);
    });
  }
  return failures;
}

/** An adapter whose every call for an effect is changed on its way, or its answer is. */
function changed(
  processor: Processor,
  change: {
    request?: <Request extends { processorKey: string }>(request: Request) => Request;
    answer?: (answer: Promise<ProcessorDecision>) => Promise<ProcessorDecision>;
  },
): Processor {
  const { request = (given) => given, answer = (given) => given } = change;
  return {
    ...processor,
    authorize: (given) => answer(processor.authorize(request(given))),
    capture: (given) => answer(processor.capture(request(given))),
    void: (given) => answer(processor.void(request(given))),
    refund: (given) => answer(processor.refund(request(given))),
  };
}

describe.each([
  ["the sandbox", (wrap: Wrap) => sandboxSetup(undefined, wrap)],
  ["Stripe's package", (wrap: Wrap) => stripeSetup(false, wrap)],
] as const)("over %s", (_, setupWith) => {
  it("an adapter that makes keys of its own charges twice", async () => {
    const newKey = () => `pk_${createHash("sha1").update(randomUUID()).digest("hex")}`;
    const setup = setupWith((processor) =>
      changed(processor, { request: (request) => ({ ...request, processorKey: newKey() }) }),
    );
    const failures = await failuresOf(setup);
    expect([...failures.keys()]).toEqual(
      expect.arrayContaining([
        "a key that comes again has one effect, and one answer",
        "a key that comes ten times at once has one effect, and no call is declined or refused",
        "an authorization with a dropped connection after the effect is neither declined nor made twice",
      ]),
    );
  });

  it("an adapter that takes a timeout for a decline gives up what was charged", async () => {
    const setup = setupWith((processor) =>
      changed(processor, {
        async answer(answer) {
          const beginMs = performance.now();
          try {
            return await answer;
          } catch (error) {
            if (performance.now() - beginMs < 0.9 * setup.timeoutMs) {
              throw error;
            }
            return { kind: "declined", declineCode: "timeout" };
          }
        },
      }),
    );
    expect([...(await failuresOf(setup)).keys()]).toEqual([
      "a call bounds its own time, and its outcome is then not known",
      "an answer that comes after the time limit is neither a decline nor a second effect",
      "a call that arrives after the time limit, and its repetitions, have one effect",
    ]);
  });
});

it("an adapter that takes a lost connection for a decline gives up what was charged", async () => {
  const setup = sandboxSetup(undefined, (processor) =>
    changed(processor, {
      answer: (answer) =>
        answer.catch((error: Error) => {
          if (error instanceof ProcessorRefused || error.message.includes("DEADLINE_EXCEEDED")) {
            throw error;
          }
          return { kind: "declined", declineCode: "unreachable" };
        }),
    }),
  );
  const failures = await failuresOf(setup);
  for (const operation of ["an authorization", "a capture", "a void", "a refund"]) {
    const name = `${operation} with a dropped connection after the effect is neither declined nor made twice`;
    expect(failures.get(name)).toContain("must be approved in the end");
  }
});

it("an adapter that claims keys of an acquirer without any charges twice", async () => {
  const traits = { ...sandboxTraits, capturesInParts: false, lookUp: { visibleAfterMs: 500 } };
  const setup = sandboxSetup("braintree", (processor) => ({ ...processor, traits }));
  const failures = await failuresOf({ ...setup, traits });
  expect([...failures.keys()]).toEqual(
    expect.arrayContaining([
      "a key that comes again has one effect, and one answer",
      "an authorization with a dropped connection after the effect is neither declined nor made twice",
    ]),
  );
});

it("an adapter that takes every currency to have two decimals charges another amount", async () => {
  const decimals = new Map([
    ["JPY", 0],
    ["KWD", 3],
  ]);
  // As it is when the amount is written in major units for an acquirer that reads them right.
  const misread = ({ currencyCode, minorUnits }: Money): Money => ({
    currencyCode,
    minorUnits: (minorUnits * 10n ** BigInt(decimals.get(currencyCode) ?? 2)) / 100n,
  });
  const setup = sandboxSetup(undefined, (processor) => ({
    ...processor,
    authorize: (given) => processor.authorize({ ...given, amount: misread(given.amount) }),
    capture: (given) => processor.capture({ ...given, amount: misread(given.amount) }),
    refund: (given) => processor.refund({ ...given, amount: misread(given.amount) }),
  }));
  expect([...(await failuresOf(setup)).keys()]).toEqual([
    "an amount without decimals (JPY) arrives as the same amount, or is refused before it is sent",
    "an amount with three decimals (KWD) arrives as the same amount, or is refused before it is sent",
  ]);
});

it("a double that cannot do something is told by name", () => {
  const tests = processorContract({ ...sandboxSetup(), cannot: ["forget_key"] });
  const notRun = tests.filter(({ notRun }) => notRun?.includes("forget_key"));
  expect(notRun.map(({ name }) => name)).toEqual([
    "not run, since the double cannot forget_key: a key that the acquirer forgot is a second effect, and the double counts it",
  ]);
});
