/** npm passes on a Ctrl-C that the terminal has sent to this process too. Milliseconds. */
const ECHO_MS = 500;

/** The exit code of a process that has handed on calls: not a failure, but not a complete stop. */
const LEFT_BEHIND_EXIT_CODE = 3;

/** Ends this process, also where what was left behind would keep it alive. */
export function exitAfter(closed: "drained" | "left behind"): never {
  process.exit(closed === "drained" ? 0 : LEFT_BEHIND_EXIT_CODE);
}

/**
 * Resolves at the first SIGTERM or SIGINT. A second one ends the process at
 * once, for an operator who does not want to wait for the calls under way.
 */
export function untilStopped(): Promise<void> {
  return new Promise((resolve) => {
    let stoppedAtMs = Number.POSITIVE_INFINITY;
    const stop = () => {
      const nowMs = performance.now();
      if (nowMs - stoppedAtMs > ECHO_MS) {
        process.exit(1);
      }
      stoppedAtMs = Math.min(stoppedAtMs, nowMs);
      resolve();
    };
    process.on("SIGTERM", stop);
    process.on("SIGINT", stop);
  });
}
