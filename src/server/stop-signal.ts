/**
 * Resolves at the first SIGTERM or SIGINT. A second one ends the process at
 * once, for an operator who does not want to wait for the calls under way.
 */
export function untilStopped(): Promise<void> {
  return new Promise((resolve) => {
    let signals = 0;
    const stop = () => {
      signals += 1;
      if (signals > 1) {
        process.exit(1);
      }
      resolve();
    };
    process.on("SIGTERM", stop);
    process.on("SIGINT", stop);
  });
}
