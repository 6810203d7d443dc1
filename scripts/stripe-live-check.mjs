// npm run stripe:live-check: what the Stripe adapter takes for granted, asked of Stripe itself, in
// less than two minutes. STRIPE_SECRET_KEY is a key for tests; live keys are refused.
import { ensureDependencies } from "./lib/prepare.mjs";
import { projectPath } from "./lib/run.mjs";
import { runTypescript } from "./lib/run-typescript.mjs";

ensureDependencies();
await runTypescript(projectPath("test", "stripe-live-check", "main.ts"));
