/** npm passes on a Ctrl-C that the terminal has sent to this process too. Milliseconds. */
const ECHO_MS = 500;

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
