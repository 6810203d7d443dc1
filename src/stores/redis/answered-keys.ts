import { type Scope, scopeHash } from "../../idempotency/scope.js";

/** A power of two. Each slot remembers one key by 32 bits of its hash: 512 KiB in all. */
const SLOTS = 2 ** 17;

/** Keys that this process has seen answered, as a hint. */
export interface AnsweredKeys {
  add(scope: Scope): void;
  /** Almost always right when it says yes. A no says little: what is newer takes a slot over. */
  has(scope: Scope): boolean;
}

export function createAnsweredKeys(): AnsweredKeys {
  const tags = new Uint32Array(SLOTS);

  function placeOf(scope: Scope): { readonly slot: number; readonly tag: number } {
    const hash = scopeHash(scope);
    const bits = new DataView(hash.buffer, hash.byteOffset, hash.byteLength);
    // 0 is an empty slot.
    return { slot: bits.getUint32(0) % SLOTS, tag: (bits.getUint32(4) | 1) >>> 0 };
  }

  return {
    add(scope) {
      const { slot, tag } = placeOf(scope);
      tags[slot] = tag;
    },
    has(scope) {
      const { slot, tag } = placeOf(scope);
      return tags[slot] === tag;
    },
  };
}
