import {
  createStripeProcessor,
  STRIPE_API_BASE,
} from "../../src/payments/processors/stripe/processor.js";
import { createSteps, outcomeOf } from "./steps.js";

// With a dozen calls of a second each far less than two minutes; a call that hangs ends then.
const CALL_LIMIT_MS = 7_000;

const { STRIPE_SECRET_KEY: secretKey = "", STRIPE_API_BASE: apiBase = STRIPE_API_BASE } =
  process.env;

/** The reason why nothing may be run with a key; undefined where it may. */
function refusal(): string | undefined {
  if (/^[rs]k_live_/.test(secretKey)) {
    return "STRIPE_SECRET_KEY is a live key: this check charges cards, so it takes keys for tests only (sk_test_..., rk_test_...)";
  }
  return /^[rs]k_test_\w+$/.test(secretKey)
    ? undefined
    : "STRIPE_SECRET_KEY accepts a key of Stripe's for tests: sk_test_... or rk_test_...";
}

async function check(): Promise<boolean> {
  const processor = createStripeProcessor({
    secretKey,
    apiBase: new URL(apiBase),
    timeoutMs: CALL_LIMIT_MS,
  });
  try {
    await processor.check();
    let isRight = true;
    for (const step of createSteps()) {
      const start = performance.now();
      const outcome = await outcomeOf(step, processor);
      const isExpected = outcome === step.expected;
      isRight &&= isExpected;
      const took = `${Math.round(performance.now() - start)} ms`;
      console.log(
        `${isExpected ? "ok    " : "WRONG "} ${step.name.padEnd(54)} ${outcome.padEnd(46)} ${took}`,
      );
      if (!isExpected) {
        console.log(`       expected: ${step.expected}`);
      }
    }
    return isRight;
  } finally {
    processor.close();
  }
}

const reason = refusal();
if (reason === undefined) {
  console.log(`payonce's adapter against ${apiBase}`);
  try {
    process.exitCode = (await check()) ? 0 : 1;
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  }
} else {
  console.error(reason);
  process.exitCode = 1;
}
