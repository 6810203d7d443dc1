import { countGrant, countHolder, countRefusal, countSilence, type Tally } from "./quorum.js";
import { executing } from "./script.js";

/** A node's reply that gives a lock. */
export const GRANTED = 1;

/** A node's reply where it looked for a copy and a mark, and has neither. */
const ABSENT = 2;

/** The copy in a node's reply. */
export function copyIn(reply: unknown): Buffer | undefined {
  const [copy] = Array.isArray(reply) ? reply : [];
  return Buffer.isBuffer(copy) ? copy : undefined;
}

/** Counts what a node says of a lock, or of a mark that names the request of a call that is executing. */
export function count(tally: Tally, reply: unknown, request: string): void {
  if (reply === GRANTED) {
    countGrant(tally);
  } else if (reply === ABSENT || Array.isArray(reply)) {
    countRefusal(tally);
  } else if (Buffer.isBuffer(reply)) {
    const holder = reply.toString("latin1");
    if (holder.endsWith(executing(request))) {
      countHolder(tally, holder);
    } else {
      countRefusal(tally);
    }
  } else {
    countSilence(tally);
  }
}
