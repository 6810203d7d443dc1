// npm run soak -- --minutes N --seed S: real processes, mixed traffic and random faults, restores
// and an operator among them, then what must hold after all of it. The same seed plans the same
// faults; what a restore takes comes on top of the minutes.
// --processor stripe has the services speak through Stripe's package to the sandbox's face in its form.
// --entry FILE runs another program as the services; --summary FILE also writes
// { "passed": number, "failed": number } there.
import { ensureDependencies } from "./lib/prepare.mjs";
import { ensureRedis } from "./lib/redis.mjs";
import { projectPath } from "./lib/run.mjs";
import { runTypescript } from "./lib/run-typescript.mjs";

ensureDependencies();
ensureRedis();
await runTypescript(projectPath("test", "soak", "main.ts"));
