import { setLogger } from "@grpc/grpc-js";
import { type Logger, pino } from "pino";
import type { Config } from "./config.js";

export type { Logger };

/** JSON lines on standard error; standard output stays free for what a command prints. */
export function createLogger(level: Config["logLevel"]): Logger {
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination(2));
}

/** Makes lines of the log out of what grpc-js would print by itself. */
export function logGrpc(log: Logger): void {
  const write =
    (level: "debug" | "info" | "warn") =>
    (...words: unknown[]) =>
      log[level]({ from: "grpc" }, words.join(" "));
  // What it calls an error is mostly one of a connection, and whoever is concerned is told.
  setLogger({ debug: write("debug"), info: write("info"), error: write("warn") });
}
