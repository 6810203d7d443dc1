import type { Redis } from "ioredis";
import type { Clock } from "../../idempotency/clock.js";
import { createNodeLink, NODE_TIMEOUT_MS } from "./node-link.js";
import { majorityOf } from "./quorum.js";
import { encodeBatch, isQuestion, type Operation } from "./script.js";

/** Operations in one script call, about a millisecond of a node's time. */
const MAX_BATCH_SIZE = 256;

/**
 * Batches on their way that do not keep the next one waiting. With one, a
 * caller's next claim waits for its last answer's copy; with more than two,
 * batches get smaller and nothing gets faster.
 */
const LANES = 2;

/** Claims that may wait: as many as an executor lets through at once. */
const MAX_WAITING_CLAIMS = 10_000;

/** The owners of those come on top, each with a mark, a copy and a release. */
const MAX_WAITING = 4 * MAX_WAITING_CLAIMS;

/** The operations that are sent to all nodes, in one order. */
export interface NodeBatches {
  /** Returns true if so much waits that a claim does better without the nodes. */
  isFull(): boolean;
  /**
   * Says something to every node, after all that was added before. Past the
   * bound it is dropped: locks and copies end by themselves.
   */
  add(operation: Operation): void;
}

export interface NodeBatchesOptions {
  readonly nodes: readonly Redis[];
  readonly clock: Clock;
  /** Calls back soon, after what has just arrived. */
  readonly soon: (callback: () => void) => void;
}

/** A batch on its way. */
interface Batch {
  readonly operations: readonly Operation[];
  /** By node: whether it has replied or counts as silent. */
  readonly isHeard: boolean[];
  heard: number;
  answered: number;
  /** True if the next batch still waits for this one. */
  isInLane: boolean;
  isDone: boolean;
  isJudgedSoon: boolean;
  cancelTimeout: () => void;
}

/**
 * Gathers what is to be said to the nodes into one script call a node: while a
 * batch is on its way, the next one gathers. Unlike in the batches of a
 * database (`runtime/batches`), order counts, and a claim is decided as soon
 * as enough nodes have spoken: it waits for no neighbour and no silent node.
 */
export function createNodeBatches({ nodes, clock, soon }: NodeBatchesOptions): NodeBatches {
  const links = nodes.map((node) => createNodeLink(node, clock));
  const majority = majorityOf(nodes.length);
  let waiting: Operation[] = [];
  let lanesBusy = 0;
  let isStarting = false;
  let firstNode = 0;

  function add(operation: Operation): void {
    if (waiting.length >= MAX_WAITING) {
      tellDone(operation);
      return;
    }
    waiting.push(operation);
    startSoon();
  }

  function startSoon(): void {
    if (!isStarting && waiting.length > 0 && lanesBusy < LANES) {
      isStarting = true;
      soon(() => {
        isStarting = false;
        start();
      });
    }
  }

  function start(): void {
    while (waiting.length > 0 && lanesBusy < LANES) {
      const operations = waiting;
      waiting = operations.splice(MAX_BATCH_SIZE);
      send(operations);
    }
  }

  function send(operations: readonly Operation[]): void {
    const batch: Batch = {
      operations,
      isHeard: links.map(() => false),
      heard: 0,
      answered: 0,
      isInLane: true,
      isDone: false,
      isJudgedSoon: false,
      cancelTimeout: clock.setTimer(NODE_TIMEOUT_MS, () => giveUp(batch)),
    };
    lanesBusy += 1;
    const nowMs = clock.nowMs();
    for (const operation of operations) {
      if (isQuestion(operation)) {
        operation.onSent(nowMs);
      }
    }
    const encoded = encodeBatch(operations);
    // Each batch begins with another node, so that each one's copies are seen first at times.
    firstNode = (firstNode + 1) % links.length;
    for (let step = 0; step < links.length; step += 1) {
      const index = (firstNode + step) % links.length;
      links[index]?.ask(encoded, (replies) => hear(batch, index, replies));
    }
  }

  function hear(batch: Batch, node: number, replies: readonly unknown[] | undefined): void {
    batch.operations.forEach((operation, index) => {
      if (isQuestion(operation)) {
        operation.onReply(replies?.[index]);
      }
    });
    if (batch.isHeard[node]) {
      return; // late: it has counted as silent
    }
    batch.isHeard[node] = true;
    batch.heard += 1;
    batch.answered += replies === undefined ? 0 : 1;
    if (batch.heard === links.length) {
      batch.cancelTimeout();
    }
    if (!batch.isDone && (batch.answered >= majority || batch.heard === links.length)) {
      batch.isDone = true;
      batch.operations.forEach(tellDone);
    }
    if (batch.heard >= majority) {
      judgeSoon(batch);
      if (batch.isInLane) {
        batch.isInLane = false;
        lanesBusy -= 1;
        startSoon();
      }
    }
  }

  /** Not at once: a third node's copy that has just arrived spares the store of record. */
  function judgeSoon(batch: Batch): void {
    if (!batch.isJudgedSoon) {
      batch.isJudgedSoon = true;
      soon(() => {
        batch.isJudgedSoon = false;
        for (const operation of batch.operations) {
          if (isQuestion(operation)) {
            operation.onMajority();
          }
        }
      });
    }
  }

  function giveUp(batch: Batch): void {
    batch.isHeard.forEach((isHeard, node) => {
      if (!isHeard) {
        hear(batch, node, undefined);
      }
    });
  }

  return { add, isFull: () => waiting.length >= MAX_WAITING_CLAIMS };
}

function tellDone(operation: Operation): void {
  if (operation.kind === "release" || operation.kind === "extend") {
    operation.onDone?.();
  }
}
