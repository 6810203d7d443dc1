import type { Redis } from "ioredis";
import { gateScript, MARK, OPERATION_CODES } from "../../src/stores/redis/script.js";
import type { Random } from "../support/random.js";
import type { Caller, Network, Server } from "./network.js";
import { createServer } from "./network.js";
import type { Scheduler } from "./scheduler.js";

/** A connection without a reply for so long is left, as `connectRedisNodes` has it. Milliseconds. */
const SILENCE_TIMEOUT_MS = 2_000;

/** One Redis node: its data, its own clock, and what may happen to both. */
export interface RedisNode {
  readonly server: Server;
  /** It restarts without its data. */
  wipe(): void;
  moveClock(byMs: number): void;
  /** How many reads give damaged bytes. */
  setDamage(rate: number): void;
  connect(from: Caller, network: Network): Redis;
}

interface Entry {
  readonly value: string | Buffer;
  readonly expiresAtMs: number;
}

export function createRedisNode(options: {
  readonly name: string;
  readonly scheduler: Scheduler;
  readonly random: Random;
}): RedisNode {
  const { name, scheduler, random } = options;
  const server = createServer(name);
  const entries = new Map<string, Entry>();
  let knowsScript = false;
  let clockOffsetMs = 0;
  let damage = 0;

  const nowMs = () => scheduler.nowMs() + clockOffsetMs;

  function get(key: string): string | Buffer | null {
    const entry = entries.get(key);
    return entry === undefined || entry.expiresAtMs <= nowMs() ? null : entry.value;
  }

  function set(key: string, value: string | Buffer, ttlMs: number): void {
    entries.set(key, { value, expiresAtMs: nowMs() + ttlMs });
  }

  /** What the gate's script does, operation by operation. */
  function evaluate(batch: readonly (string | Buffer)[], nameCount: number): unknown[] {
    const names = batch.slice(0, nameCount).map(String);
    const [kinds, ...rest] = batch.slice(nameCount);
    const next = (values: (string | Buffer)[]) => {
      const value = values.shift();
      if (value === undefined) {
        throw new Error("the batch ends within an operation");
      }
      return value;
    };
    const { claim, mark, extend, release, put } = OPERATION_CODES;
    return Array.from(String(kinds), (kind) => {
      const name = String(next(names));
      switch (kind) {
        case claim: {
          const copy = damaged(get(String(next(names))));
          const [value, ttlMs] = [String(next(rest)), Number(next(rest))];
          if (copy !== null) {
            return [copy];
          }
          const holder = get(name);
          if (holder !== null) {
            return Buffer.from(holder);
          }
          set(name, value, ttlMs);
          return 1;
        }
        case put:
          set(name, next(rest), Number(next(rest)));
          return 0;
        case mark: {
          const value = String(next(rest));
          const entry = entries.get(name);
          if (entry !== undefined && get(name) === value) {
            entries.set(name, { ...entry, value: `${value}${MARK}` });
          }
          return 0;
        }
        case extend: {
          const [value, ttlMs] = [String(next(rest)), Number(next(rest))];
          const holder = get(name);
          if (holder === value || holder === `${value}${MARK}`) {
            set(name, holder, ttlMs);
          }
          return 0;
        }
        case release: {
          const value = String(next(rest));
          const holder = get(name);
          if (holder === value || holder === `${value}${MARK}`) {
            entries.delete(name);
          }
          return 0;
        }
        default:
          throw new Error(`there is no operation ${kind}`);
      }
    });
  }

  function damaged(value: string | Buffer | null): Buffer | null {
    const bytes = value === null ? null : Buffer.from(value);
    if (bytes !== null && random.chance(damage)) {
      const at = random.integer(0, bytes.length - 1);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << random.integer(0, 7));
    }
    return bytes;
  }

  return {
    server,
    wipe() {
      entries.clear();
      knowsScript = false;
    },
    moveClock(byMs) {
      clockOffsetMs += byMs;
    },
    setDamage(rate) {
      damage = rate;
    },
    connect(from, network) {
      const commands = {
        callBuffer: (name: "evalsha" | "eval", values: (string | number | Buffer)[]) =>
          network.call({
            from,
            to: server,
            what: name,
            about: "redis",
            timeoutMs: SILENCE_TIMEOUT_MS,
            async execute() {
              const [script, nameCount, ...batch] = values as [
                string,
                number,
                ...(string | Buffer)[],
              ];
              knowsScript ||= name === "eval" && script === gateScript.text;
              if (!knowsScript || (name === "evalsha" && script !== gateScript.sha1)) {
                throw new Error("NOSCRIPT No matching script");
              }
              return evaluate(batch, nameCount);
            },
          }),
      };
      // The gate calls these commands of a client, and no other.
      return commands as unknown as Redis;
    },
  };
}
