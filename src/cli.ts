#!/usr/bin/env node
import { CommanderError } from "commander";
import { commandLine, usageProblem } from "./server/commands/command-line.js";

/** The exit code of a wrong command line; 1 is for a command that failed. */
const USAGE_EXIT_CODE = 2;

const args = process.argv.slice(2);
try {
  await commandLine().parseAsync(args.length === 0 ? ["--help"] : args, { from: "user" });
} catch (error) {
  const isAnswered = error instanceof CommanderError && error.exitCode === 0; // help, version
  if (!isAnswered) {
    const problem = usageProblem(error);
    console.error(problem ?? (error instanceof Error ? error.message : error));
    process.exitCode = problem === undefined ? 1 : USAGE_EXIT_CODE;
  }
}
