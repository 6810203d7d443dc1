// npm run bench: how fast it is, every row against its baseline in the same run.
// -- --rows gate,payment --concurrency 16,128 --rounds 5 --seconds 2 --label NAME
import { ensureDependencies } from "./lib/prepare.mjs";
import { ensureRedis } from "./lib/redis.mjs";
import { projectPath } from "./lib/run.mjs";
import { runTypescript } from "./lib/run-typescript.mjs";

ensureDependencies();
ensureRedis();
await runTypescript(projectPath("bench", "main.ts"));
