/** Something that a peer does not do, and where that can be seen. */
export interface Lack {
  readonly what: string;
  readonly seenIn: string;
}

interface PeerDescription {
  /** What keeps its answers. */
  readonly on: "Redis" | "Postgres";
  /** Whether its packages are the project's, or are installed for the bench. */
  readonly packages: "the project's" | "its own";
  readonly lacks: readonly Lack[];
}

const SURVIVES = "survive the loss of Redis";
const FENCES = "fence a late owner";
const RECOVERS = "recover a dead owner's call";
const CHECKS = "check the fingerprint on replay";

/** What is measured side by side, ours among it. Versions: `package.json` here. */
export const peers = {
  "payonce on Redis": {
    on: "Redis",
    packages: "the project's",
    lacks: [
      {
        what: `${SURVIVES} and of its process`,
        seenIn: "src/stores/memory/store.ts, in place of a store of record in Postgres",
      },
      {
        what: "wait for Redis before it answers",
        seenIn: "src/stores/redis/gate.ts, publish: the store of record has the answer by then",
      },
    ],
  },
  "node-idempotency": {
    on: "Redis",
    packages: "its own",
    lacks: [
      {
        what: FENCES,
        seenIn: "core 1.0.11, dist/idempotency.js, onResponse: sets the key whoever holds it",
      },
      {
        what: RECOVERS,
        seenIn:
          "core 1.0.11, dist/idempotency.js, onRequest: IN_PROGRESS has no lease and lasts as long as an answer, 24 h by default",
      },
      {
        what: SURVIVES,
        seenIn: "storage-adapter-redis 1.0.2, dist/adapter-redis.js: SET and GET on one client",
      },
    ],
  },
  powertools: {
    on: "Redis",
    packages: "its own",
    lacks: [
      {
        what: FENCES,
        seenIn:
          "2.35.0, persistence/CachePersistenceLayer.js, _updateRecord: sets the key whoever holds it",
      },
      {
        what: `${RECOVERS} before somebody calls again`,
        seenIn:
          "2.35.0, persistence/CachePersistenceLayer.js, #putInProgressRecord: only a duplicate takes over, and the request is not kept",
      },
      {
        what: CHECKS,
        seenIn:
          "2.35.0, persistence/CachePersistenceLayer.js, _updateRecord drops the payload's hash, so that with payloadValidationJmesPath every replay is refused: IdempotencyValidationError",
      },
      {
        what: SURVIVES,
        seenIn: "2.35.0, persistence/CachePersistenceLayer.js: SET and GET on one client",
      },
    ],
  },
  "redlock by hand": {
    on: "Redis",
    packages: "the project's",
    lacks: [
      {
        what: FENCES,
        seenIn: "bench/peers/redlock.ts: redlock 5.0.0-beta.2 has no fencing token to set with",
      },
      {
        what: `${RECOVERS} before somebody calls again`,
        seenIn: "bench/peers/redlock.ts: the lock runs out, and the request is not kept",
      },
      { what: CHECKS, seenIn: "bench/peers/redlock.ts: an answer is kept without its request" },
      { what: SURVIVES, seenIn: "bench/peers/redlock.ts: one node has the lock and the answer" },
    ],
  },
  "payonce on Postgres": { on: "Postgres", packages: "the project's", lacks: [] },
  DBOS: {
    on: "Postgres",
    packages: "its own",
    lacks: [
      {
        what: CHECKS,
        seenIn:
          "5.3.0, system_database.js, #initWorkflowStatusInternal: compares the workflow's name and class, not its input",
      },
      {
        what: `${RECOVERS} in another process without its Conductor`,
        seenIn:
          "5.3.0, dbos-executor.js, init: recoverPendingWorkflows takes those of the own executorID, at the start",
      },
    ],
  },
} satisfies Record<string, PeerDescription>;

export type PeerName = keyof typeof peers;

export function lacksOf(name: PeerName): readonly Lack[] {
  return peers[name].lacks;
}
