/** Work that is done by one at a time. */
export interface Turn {
  /** Does the work. Asked for while it is under way, it is done once more after that, for what it may have missed. */
  (): Promise<void>;
  /** Resolves once nothing of it is under way. */
  ended(): Promise<void>;
}

/** @param work must not reject */
export function createTurn(work: () => Promise<void>): Turn {
  let running: Promise<void> | undefined;
  let isWanted = false;

  async function run(): Promise<void> {
    while (isWanted) {
      isWanted = false;
      await work();
    }
    running = undefined;
  }

  const turn = () => {
    isWanted = true;
    running ??= run();
    return running;
  };
  return Object.assign(turn, { ended: async () => running });
}
