import { setLogger } from "@grpc/grpc-js";
import { type Logger, pino } from "pino";
import type { Config } from "./config.js";
import { createTransportLog } from "./transport-log.js";

export type { Logger };

/** JSON lines on standard error; standard output stays free for what a command prints. */
export function createLogger(level: Config["logLevel"]): Logger {
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination(2));
}

/** Makes lines of the log out of what grpc-js would print by itself, without the values in them. */
export function logGrpc(log: Logger): void {
  const transportLog = createTransportLog({ log, now: () => performance.now() });
  setLogger({
    debug: transportLog("debug"),
    info: transportLog("info"),
    // What it calls an error is mostly one of a connection, and the call concerned fails with it.
    error: transportLog("warn"),
  });
}
