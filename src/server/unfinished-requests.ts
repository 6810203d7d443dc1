export interface UnfinishedLimits {
  /** The most that one connection may hold of requests that are not complete. Bytes. */
  readonly maxBytesPerConnection: number;
  /** The most that all connections together may hold. Bytes. */
  readonly maxBytes: number;
  /** The longest time for which a request may take to be complete. Milliseconds. */
  readonly timeoutMs: number;
}

/** The reason why a request is given up: it takes too long, or holds memory that others need. */
export type GivenUp = "late" | "too_much";

/** A request that has begun and is not complete. */
export interface Unfinished {
  /** Call it as more of the request arrives. This request, or others, may be given up then. */
  received(bytes: number): void;
  /** Call it once the request is complete, or its peer has gone. */
  end(): void;
}

export interface UnfinishedRequests {
  /** `giveUp` is called once at most, and not after `end`. */
  begin(connection: object, giveUp: (why: GivenUp) => void): Unfinished;
  count(): number;
  /** Looks no longer for requests that take too long. */
  stop(): void;
}

interface Entry {
  readonly connection: Held;
  readonly sinceMs: number;
  readonly giveUp: (why: GivenUp) => void;
  bytes: number;
}

/** The unfinished requests of one connection. */
interface Held {
  readonly entries: Set<Entry>;
  bytes: number;
}

/** The number of looks for late requests within the time that they have. */
const LOOKS_PER_TIMEOUT = 4;

/**
 * Bounds what peers can make a server hold by requests that they never
 * complete, before anybody knows who they are. Past the bound for all, the
 * connection that holds the most loses its requests, not the one that asks for
 * a little more.
 */
export function createUnfinishedRequests(
  { maxBytesPerConnection, maxBytes, timeoutMs }: UnfinishedLimits,
  now: () => number = () => performance.now(),
): UnfinishedRequests {
  const connections = new Map<object, Held>();
  const entries = new Set<Entry>(); // in the order of their beginnings
  let bytes = 0;

  const looking = setInterval(() => {
    const latestMs = now() - timeoutMs;
    for (const entry of entries) {
      if (entry.sinceMs > latestMs) {
        return;
      }
      giveUp(entry, "late");
    }
  }, timeoutMs / LOOKS_PER_TIMEOUT);
  looking.unref();

  return {
    begin(connection, giveUpRequest) {
      const held = connections.get(connection) ?? { entries: new Set(), bytes: 0 };
      connections.set(connection, held);
      const entry = { connection: held, sinceMs: now(), giveUp: giveUpRequest, bytes: 0 };
      entries.add(entry);
      held.entries.add(entry);
      return {
        received(more) {
          if (entries.has(entry)) {
            count(entry, more);
          }
        },
        end() {
          remove(entry);
          if (held.entries.size === 0) {
            connections.delete(connection);
          }
        },
      };
    },
    count: () => entries.size,
    stop: () => clearInterval(looking),
  };

  function count(entry: Entry, more: number): void {
    entry.bytes += more;
    entry.connection.bytes += more;
    bytes += more;
    if (entry.connection.bytes > maxBytesPerConnection) {
      giveUp(entry, "too_much");
    } else if (bytes > maxBytes) {
      const [first, ...others] = connections.values();
      const largest = others.reduce((a, b) => (b.bytes > (a?.bytes ?? 0) ? b : a), first);
      for (const each of [...(largest?.entries ?? [])]) {
        giveUp(each, "too_much");
      }
    }
  }

  function giveUp(entry: Entry, why: GivenUp): void {
    remove(entry);
    entry.giveUp(why);
  }

  function remove(entry: Entry): void {
    if (entries.delete(entry)) {
      entry.connection.entries.delete(entry);
      entry.connection.bytes -= entry.bytes;
      bytes -= entry.bytes;
    }
  }
}
