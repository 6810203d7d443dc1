import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Scope } from "../../../src/idempotency/scope.js";
import { createAnsweredKeys } from "../../../src/stores/redis/answered-keys.js";
import { PROPERTY_TIMEOUT_MS } from "../../fixtures/property.js";

const KEYS = 2_000;

function scopeOf(key: string, change: Partial<Scope> = {}): Scope {
  return { tenant: "acme", operation: "test.v1.Service/Call", key, ...change };
}

/** The same keys in every run. */
const scopes = Array.from({ length: KEYS }, (_, index) => scopeOf(`key-${index}`));

describe("keys that were seen answered", { timeout: PROPERTY_TIMEOUT_MS }, () => {
  it("are none at first", () => {
    const keys = createAnsweredKeys();
    expect(scopes.filter(keys.has)).toEqual([]);
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), (tenant, operation, key) => {
        expect(keys.has({ tenant, operation, key })).toBe(false);
      }),
    );
  });

  it("are remembered, by whatever object names them", () => {
    for (const scope of scopes.slice(0, 200)) {
      const keys = createAnsweredKeys();
      keys.add(scope);
      keys.add(scope);
      expect(keys.has(scope)).toBe(true);
      expect(keys.has({ ...scope })).toBe(true);
    }
  });

  it("are forgotten only for newer ones that take their slots over, at most one for each", () => {
    const keys = createAnsweredKeys();
    let remembered: Scope[] = [];
    for (let start = 0; start < KEYS; start += 50) {
      const added = scopes.slice(start, start + 50);
      for (const scope of added) {
        keys.add(scope);
        expect(keys.has(scope)).toBe(true);
      }
      const before = [...remembered, ...added];
      remembered = before.filter(keys.has);
      expect(before.length - remembered.length).toBeLessThanOrEqual(added.length);
    }
    // Two thousand keys in 2^17 slots meet about fifteen times.
    expect(remembered.length).toBeGreaterThan(KEYS - 40);
  });

  it("are not forgotten as they are asked for, nor as others are", () => {
    const keys = createAnsweredKeys();
    const [added, others] = [scopes.slice(0, 1_000), scopes.slice(1_000)];
    for (const scope of added) {
      keys.add(scope);
    }
    const remembered = added.filter(keys.has);
    for (let round = 0; round < 3; round += 1) {
      expect(others.filter(keys.has)).toEqual([]);
      expect(added.filter(keys.has)).toEqual(remembered);
    }
  });

  it("are others in another tenant, of another operation, and in another process", () => {
    const keys = createAnsweredKeys();
    const scope = scopeOf("key");
    keys.add(scope);
    for (const change of [{ tenant: "other" }, { operation: "other" }, { key: "other" }]) {
      expect(keys.has({ ...scope, ...change })).toBe(false);
    }
    expect(createAnsweredKeys().has(scope)).toBe(false);
  });

  it("take each other's slots over in the end, and the newest is always known", () => {
    const keys = createAnsweredKeys();
    const first = scopeOf("the first");
    keys.add(first);
    let added = 0;
    // A slot is as likely as any other: in twenty times as many it is met, but for one in 10^8.
    while (keys.has(first) && added < 20 * 2 ** 17) {
      const scope = scopeOf(`later ${added}`);
      keys.add(scope);
      expect(keys.has(scope)).toBe(true);
      added += 1;
    }
    expect(keys.has(first)).toBe(false);
    keys.add(first);
    expect(keys.has(first)).toBe(true);
  });
});
