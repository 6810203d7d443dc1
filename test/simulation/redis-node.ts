import { createHash } from "node:crypto";
import type { Redis } from "ioredis";
import type { Caller, Network, Server } from "./network.js";
import { createServer } from "./network.js";
import type { Random } from "./random.js";
import type { Scheduler } from "./scheduler.js";

/** As `connectRedisNodes` has it. Milliseconds. */
const COMMAND_TIMEOUT_MS = 250;

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
  const scripts = new Map<string, string>();
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

  /** The three scripts of redlock, told apart by what only each of them does. */
  function evaluate(script: string, keys: readonly string[], [value, ttl]: readonly string[]) {
    if (value === undefined) {
      throw new Error("redlock sends the lock's value with every script");
    }
    if (script.includes('"del"')) {
      const own = keys.filter((key) => get(key) === value);
      for (const key of own) {
        entries.delete(key);
      }
      return own.length;
    }
    const isFree = script.includes('"exists"')
      ? keys.every((key) => get(key) === null)
      : keys.every((key) => get(key) === value);
    if (!isFree) {
      return 0;
    }
    for (const key of keys) {
      set(key, value, Number(ttl));
    }
    return keys.length;
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
    wipe: () => entries.clear(),
    moveClock(byMs) {
      clockOffsetMs += byMs;
    },
    setDamage(rate) {
      damage = rate;
    },
    connect(from, network) {
      const command = <Result>(what: string, execute: () => Result): Promise<Result> =>
        network.call({
          from,
          to: server,
          what,
          about: "redis",
          timeoutMs: COMMAND_TIMEOUT_MS,
          execute: async () => execute(),
        });
      const run = (script: string, count: number, values: readonly unknown[]) => {
        const texts = values.map(String);
        return evaluate(script, texts.slice(0, count), texts.slice(count));
      };
      const commands = {
        getBuffer: (key: string) => command("get copy", () => damaged(get(key))),
        get: (key: string) => command("get holder", () => get(key)),
        set: (key: string, value: Buffer, _unit: "PX", ttlMs: number) =>
          command("set copy", () => set(key, value, ttlMs)),
        evalsha: (hash: string, count: number, values: readonly unknown[]) =>
          command("evalsha", () => {
            const script = scripts.get(hash);
            if (script === undefined) {
              throw new Error("NOSCRIPT No matching script");
            }
            return run(script, count, values);
          }),
        eval: (script: string, count: number, values: readonly unknown[]) =>
          command("eval", () => {
            scripts.set(createHash("sha1").update(script).digest("hex"), script);
            return run(script, count, values);
          }),
      };
      // The gate and redlock use these commands of a client, and no others.
      return commands as unknown as Redis;
    },
  };
}
