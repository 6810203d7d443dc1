// npm run hostile -- --cases N --seed S: attacks on a real service, drawn from a corpus, and how
// the service is after each batch of them. --only NUMBER, or FROM-TO, runs some of them again.
// --entry FILE runs another program as the service; --summary FILE also writes
// { "passed": number, "failed": number } there.
import { ensureDependencies } from "./lib/prepare.mjs";
import { ensureRedis } from "./lib/redis.mjs";
import { projectPath } from "./lib/run.mjs";
import { runTypescript } from "./lib/run-typescript.mjs";

ensureDependencies();
ensureRedis();
await runTypescript(projectPath("test", "hostile", "main.ts"));
