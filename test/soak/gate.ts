/** Lets everyone pass, or makes everyone wait. */
export interface Gate {
  close(): void;
  open(): void;
  /** Resolves while the gate is open. */
  passed(): Promise<void>;
}

export function createGate(): Gate {
  let opening: Promise<void> | undefined;
  let open = () => {};
  return {
    close() {
      opening ??= new Promise((resolve) => {
        open = resolve;
      });
    },
    open() {
      opening = undefined;
      open();
    },
    async passed() {
      while (opening !== undefined) {
        await opening;
      }
    },
  };
}
