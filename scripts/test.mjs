// npm test: installs what is missing, then runs all tests against real servers.
// What follows `npm test --` goes to vitest.
import { ensureBuild, ensureDependencies } from "./lib/prepare.mjs";
import { ensureRedis } from "./lib/redis.mjs";
import { run } from "./lib/run.mjs";

const PROJECTS = ["fast", "simulation", "real", "negative"];

ensureDependencies();
ensureRedis();
ensureBuild();

const projects = PROJECTS.flatMap((name) => ["--project", name]);
process.exitCode = run("vitest", "run", ...projects, ...process.argv.slice(2));
