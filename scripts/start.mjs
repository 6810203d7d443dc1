// npm start: the whole service, from a fresh checkout, on embedded defaults.
// What follows `npm start --` goes to `payonce serve`.
import { pathToFileURL } from "node:url";
import { ensureBuild, ensureDependencies } from "./lib/prepare.mjs";
import { projectPath } from "./lib/run.mjs";

ensureDependencies();
ensureBuild();

// In this process rather than in another one: signals reach the service itself,
// and its exit code is this one's.
const cli = projectPath("dist", "cli.js");
process.argv.splice(1, 1, cli, "serve");
await import(pathToFileURL(cli).href);
