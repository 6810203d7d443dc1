import { isDefinite } from "./definite.js";

/** A call that a caller wants once, whatever happens to the caller's process: its name, key and request. */
export interface Intent {
  /** The caller's own name for the intent, such as `order-4711/charge`. */
  readonly name: string;
  /** The key that every call for it carries. */
  readonly key: string;
  /** The serialized request. It is kept, because a key is good only for the request that it was first sent with. */
  readonly request: Uint8Array;
  readonly createTime: Date;
}

/** Keeps intents beyond the life of a process. Several processes may use one store. */
export interface IntentStore {
  /**
   * Saves the intent unless there is one of that name. Resolves with the one
   * that is saved under the name, once it is safe from a crash.
   */
  save(intent: Intent): Promise<Intent>;
  /** Marks the intent as answered. Does nothing if it is marked already. */
  settle(name: string): Promise<void>;
  /** The intents that are saved and not settled, the oldest first, at most `limit`. */
  unfinished(limit: number): Promise<readonly Intent[]>;
}

/** Intents with names, whose keys survive a crash. */
export interface DurableIntents {
  /**
   * Saves the intent. Send its call only after this has resolved. The same name
   * gets the same intent ever after, with the first key and the first request,
   * in this process or in any other with the same store.
   */
  begin(name: string, request: Uint8Array): Promise<Intent>;
  /**
   * Begins the intent, sends its call, and settles it if the answer is
   * definite. Passes the answer on, or the error.
   */
  perform<Answer>(options: {
    readonly name: string;
    readonly request: Uint8Array;
    /** Sends `intent.request` under `intent.key`, and rejects with the error of the transport. */
    readonly send: (intent: Intent) => Promise<Answer>;
  }): Promise<Answer>;
  /** Says that the intent has its answer. The name keeps its key. */
  settle(name: string): Promise<void>;
  /** The intents that were begun and not settled, the oldest first: to be resumed after a crash. */
  unfinished(limit?: number): Promise<readonly Intent[]>;
}

export interface DurableIntentsOptions {
  readonly store: IntentStore;
  /** The key of a name that is new. Default: a UUIDv4. */
  readonly newKey?: (name: string) => string;
}

/** The number of intents that are read at once: so many fit into memory. Read again once these are settled. */
const UNFINISHED_LIMIT = 1_000;

/**
 * Makes intents whose keys are saved before they are first sent, so that a caller
 * that is killed at any moment goes on under the same key.
 */
export function durableIntents({
  store,
  newKey = () => crypto.randomUUID(),
}: DurableIntentsOptions): DurableIntents {
  function begin(name: string, request: Uint8Array): Promise<Intent> {
    return store.save({ name, key: newKey(name), request, createTime: new Date() });
  }

  return {
    begin,
    async perform({ name, request, send }) {
      const intent = await begin(name, request);
      const answer = await send(intent).catch(async (error: unknown) => {
        if (isDefinite(error)) {
          await store.settle(name);
        }
        throw error;
      });
      await store.settle(name);
      return answer;
    },
    settle: (name) => store.settle(name),
    unfinished: (limit = UNFINISHED_LIMIT) => store.unfinished(limit),
  };
}
