// What a run asserts. The bounds are for a machine whose two cores also run the
// attacker, the database and the processor: what they are to find is ten times past them.

/** Cases that are under way at the same time. */
export const CASES_AT_ONCE = 32;

/** After as many the service is measured. */
export const BATCH_CASES = 200;

/** How long one case may take, its own waits and repetitions among it. Milliseconds. */
export const CASE_LIMIT_MS = 30_000;

/** What an attacker may make every other call wait by: the service's own event loop. Milliseconds. */
export const LOOP_DELAY_LIMIT_MS = 1_000;

/** How long a correct payment of another tenant may take. Milliseconds. */
export const CORRECT_CALL_LIMIT_MS = 5_000;

/** How much more memory than after the first batches, garbage included. MB. */
export const GROWTH_LIMIT_MB = 250;

/** Batches after which the process has all its code, pools and buffers. */
export const WARM_UP_BATCHES = 3;

/**
 * File descriptors more than at the start: while connections of attackers may be open, and after.
 * Some are the service's own, to the database: it opens as many as its load takes.
 */
export const OPEN_FILES_LIMIT = 600;
export const LEFT_FILES_LIMIT = 50;

/** Until the service has closed what attackers have left: nothing changes for a while. Milliseconds. */
export const CLOSING_LIMIT_MS = 30_000;

/** What the log may grow by in a batch, and for each of its cases: an attacker must not fill a disk. Bytes. */
export const LOG_BYTES_FLOOR = 10_000;
export const LOG_BYTES_PER_CASE = 200;

/** How long a request may take to be complete; short, so that many come to their end. Milliseconds. */
export const REQUEST_TIMEOUT_MS = 3_000;

/** Longer than the service waits for a connection to say something. Milliseconds. */
export const SETTLED_MS = 2.5 * REQUEST_TIMEOUT_MS;

/** Attackers have an address of their own, and take no connection from others. */
export const ATTACKER_ADDRESS = "127.0.0.2";

/** Sent wherever a secret may stand by mistake; never to be seen in the log. */
export const SECRET = "sk_hostile_secret";

/** Of the attackers, and of the others, whom they must not reach. */
export const TENANT = "acme";
export const OTHER_TENANT = "bravo";

export const CALLER_TOKEN = "token-of-a-caller-of-acme";
export const OTHER_CALLER_TOKEN = "token-of-a-caller-of-bravo";
export const OPERATOR_TOKEN = "token-of-an-operator-of-acme";
