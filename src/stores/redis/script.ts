import { createHash } from "node:crypto";

/** A lock as one claim asks for it. */
export interface Lock {
  readonly name: string;
  /** Says whose it is, of which request; see `lockValue`. */
  readonly value: string;
}

/** Hears what the nodes answer to a question. */
export interface Asker {
  /** Called once, when it leaves. */
  readonly onSent: (atMs: number) => void;
  /** Called with what each node says; undefined where a node is silent. */
  readonly onReply: (reply: unknown) => void;
  /** Called after replies of a majority, once those that came with them are told. */
  readonly onMajority: () => void;
}

/** A question to the nodes. */
export type Question = Asker &
  (
    | {
        /** Answers a copy; without one, takes the lock, or answers who has it. */
        readonly kind: "claim";
        readonly lock: Lock;
        readonly copyName: string;
        readonly ttlMs: number;
      }
    | {
        /** Answers a copy; without one, what is kept under the name. */
        readonly kind: "look";
        readonly name: string;
        readonly copyName: string;
      }
  );

/** An operation on the nodes. */
export type Operation =
  | Question
  /** Tells that a call is executing under the lock. */
  | { readonly kind: "mark"; readonly lock: Lock }
  /** Lets the lock live for so long from now. */
  | {
      readonly kind: "extend";
      readonly lock: Lock;
      readonly ttlMs: number;
      readonly onDone: () => void;
    }
  | {
      readonly kind: "release";
      readonly lock: Lock;
      /** Called once a majority has done it, or no node is left that might. */
      readonly onDone?: () => void;
    }
  /** Keeps the copy of an answer. */
  | {
      readonly kind: "put";
      readonly copyName: string;
      readonly copy: Uint8Array;
      readonly ttlMs: number;
    };

/** Ends the value of a lock under which a call is executing. */
export const MARK = "!";

/**
 * A lock's value: the claim's own token, so that only its owner deletes it,
 * then the request, so that a duplicate recognises its own call.
 */
export function lockValue(token: string, request: string): string {
  return `${token}:${request}`;
}

/** Returns the end of the value of a lock under which this very request is executing. */
export function executing(request: string): string {
  return `:${request}${MARK}`;
}

/** The code of each operation in the script's arguments. */
export const OPERATION_CODES: Readonly<Record<Operation["kind"], string>> = {
  claim: "c",
  look: "l",
  mark: "m",
  extend: "x",
  release: "r",
  put: "p",
};

/**
 * Does a batch of operations in their order and replies to each by position:
 * to a question with the copy as a list of one, 1 if it took the lock, the
 * value under the name, or 2 if it looked and there is none; 0 where there is
 * nothing to say. What fails fails alone.
 *
 * The lock is Redlock's (https://redis.io/docs/latest/develop/use/patterns/distributed-locks/):
 * a string under the resource's name, set if absent with a time to live,
 * changed and deleted only by who knows its value. So it excludes whoever
 * takes the same name with another implementation of it.
 */
const TEXT = `
local kinds, replies = ARGV[1], {}
local key, argument = 1, 2

local function is_ours(lock, value)
  local holder = redis.pcall("GET", lock)
  return holder == value or holder == value .. "${MARK}"
end

for index = 1, #kinds do
  local kind, name, reply = string.sub(kinds, index, index), KEYS[key], 0
  local value, ttl = ARGV[argument], ARGV[argument + 1]
  if kind == "${OPERATION_CODES.claim}" or kind == "${OPERATION_CODES.look}" then
    local copy = redis.pcall("GET", KEYS[key + 1])
    if type(copy) == "string" then
      reply = { copy }
    elseif kind == "${OPERATION_CODES.look}" then
      local found = redis.pcall("GET", name)
      reply = type(found) == "string" and found or found == false and 2 or 0
    else
      local set = redis.pcall("SET", name, value, "NX", "PX", ttl)
      if set == false then
        local holder = redis.pcall("GET", name)
        reply = type(holder) == "string" and holder or 0
      elseif set.ok then
        reply = 1
      end
    end
    key = key + 2
    argument = argument + (kind == "${OPERATION_CODES.claim}" and 2 or 0)
  elseif kind == "${OPERATION_CODES.put}" then
    redis.pcall("SET", name, value, "PX", ttl)
    key, argument = key + 1, argument + 2
  elseif kind == "${OPERATION_CODES.extend}" then
    if is_ours(name, value) then
      redis.pcall("PEXPIRE", name, ttl)
    end
    key, argument = key + 1, argument + 2
  elseif kind == "${OPERATION_CODES.mark}" then
    if redis.pcall("GET", name) == value then
      redis.pcall("SET", name, value .. "${MARK}", "KEEPTTL")
    end
    key, argument = key + 1, argument + 1
  elseif kind == "${OPERATION_CODES.release}" then
    if is_ours(name, value) then
      redis.pcall("DEL", name)
    end
    key, argument = key + 1, argument + 1
  end
  replies[index] = reply
end
return replies
`;

/** The script, and the name under which a node remembers it. */
export const gateScript = {
  text: TEXT,
  sha1: createHash("sha1").update(TEXT).digest("hex"),
} as const;

/** A batch as the script takes it: the names, then the rest. */
export interface EncodedBatch {
  readonly nameCount: number;
  readonly values: readonly (string | Buffer)[];
}

export function isQuestion(operation: Operation): operation is Question {
  return operation.kind === "claim" || operation.kind === "look";
}

export function encodeBatch(operations: readonly Operation[]): EncodedBatch {
  const names: string[] = [];
  const rest: (string | Buffer)[] = [];
  let kinds = "";
  for (const operation of operations) {
    kinds += OPERATION_CODES[operation.kind];
    switch (operation.kind) {
      case "claim":
        names.push(operation.lock.name, operation.copyName);
        rest.push(operation.lock.value, String(operation.ttlMs));
        break;
      case "look":
        names.push(operation.name, operation.copyName);
        break;
      case "extend":
        names.push(operation.lock.name);
        rest.push(operation.lock.value, String(operation.ttlMs));
        break;
      case "mark":
      case "release":
        names.push(operation.lock.name);
        rest.push(operation.lock.value);
        break;
      case "put":
        names.push(operation.copyName);
        rest.push(asBuffer(operation.copy), String(operation.ttlMs));
        break;
    }
  }
  return { nameCount: names.length, values: [...names, kinds, ...rest] };
}

function asBuffer({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}
