import { type Logger, pino } from "pino";
import type { Config } from "./config.js";

export type { Logger };

/** JSON lines on standard error; standard output stays free for what a command prints. */
export function createLogger(level: Config["logLevel"]): Logger {
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination(2));
}
