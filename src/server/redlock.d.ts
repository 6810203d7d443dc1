// redlock 5.0.0-beta.2 ships types that its `exports` hide from NodeNext
// resolution. Only what is used here is declared.
declare module "redlock" {
  import type { Redis } from "ioredis";

  export interface Lock {
    release(): Promise<unknown>;
    extend(durationMs: number): Promise<Lock>;
  }

  export default class Redlock {
    constructor(clients: Iterable<Redis>, settings?: { retryCount?: number });
    acquire(
      resources: string[],
      durationMs: number,
      settings?: { retryCount?: number },
    ): Promise<Lock>;
    on(event: "error", listener: (error: Error) => void): this;
  }
}
