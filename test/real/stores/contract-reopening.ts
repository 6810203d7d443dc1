import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { okOutcome } from "../../../src/idempotency/outcome.js";
import type { Claim, ClaimRequest, IdempotencyStore } from "../../../src/idempotency/store.js";
import { again, claimOf, newFingerprint, newRequest } from "./contract.js";

const LEASE_MS = 30_000;
const RETENTION_MS = 60_000;

/** What a store promises of keys that an operator found to have had no effect. */
export function describeReopening(
  open: () => Readonly<Record<"first" | "second", IdempotencyStore<never>>>,
): void {
  /** Makes an operator the owner of a key that is held. */
  async function reclaimed(request: ClaimRequest): Promise<Claim> {
    const { first, second } = open();
    const claim = claimOf(await first.claim(request));
    await first.suspend(claim, { kind: "hold", reason: "no reply" });
    const held = { fencingToken: claim.fencingToken, reason: "asked", leaseMs: LEASE_MS };
    const taken = await second.reclaim(request.scope, held);
    if (taken === undefined) {
      throw new Error("the key is not held");
    }
    return taken.claim;
  }

  /** Another request under the same key. */
  const otherThan = (request: ClaimRequest) => ({
    ...again(request),
    fingerprint: newFingerprint(),
  });

  describe("reopening", () => {
    it("frees a held key for its own request alone, whose next attempt is a first one", async () => {
      const { first, second } = open();
      const request = newRequest();
      const operators = await reclaimed(request);
      expect(await second.reopen(operators)).toBe(true);
      expect((await first.get(request.scope))?.record).toMatchObject({ state: "released" });
      expect((await first.claim(otherThan(request))).kind).toBe("mismatch");
      expect((await second.claim(otherThan(request))).kind).toBe("mismatch");

      const claim = claimOf(await first.claim({ ...again(request), onLostOwner: "hold" }));
      expect(claim.attempt).toBe(1);
      expect(claim.fencingToken).toBeGreaterThan(operators.fencingToken);
      expect((await second.claim(again(request))).kind).toBe("in_progress");
      expect(await first.complete(claim, okOutcome(randomBytes(3)), RETENTION_MS)).toBe(true);
      expect((await second.claim(again(request))).kind).toBe("replay");
    });

    it("lets one of many callers in", async () => {
      const { first, second } = open();
      const request = newRequest();
      await second.reopen(await reclaimed(request));
      const results = await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          (index % 2 === 0 ? first : second).claim(again(request)),
        ),
      );
      expect(results.filter(({ kind }) => kind === "claimed")).toHaveLength(1);
    });

    it("keeps the key for its request also where that did nothing once more", async () => {
      const { first, second } = open();
      const request = newRequest();
      await second.reopen(await reclaimed(request));
      const claim = claimOf(await first.claim(again(request)));
      expect(await first.release(claim)).toBe(true);
      expect((await first.get(request.scope))?.record).toMatchObject({ state: "released" });
      expect((await second.claim(otherThan(request))).kind).toBe("mismatch");
      expect(claimOf(await second.claim(again(request))).attempt).toBe(1);
    });

    it("is an owner's alone, and nobody's once it is done", async () => {
      const { first, second } = open();
      const request = newRequest();
      const owner = claimOf(await first.claim(request));
      await first.suspend(owner, { kind: "hold", reason: "no reply" });
      const held = { fencingToken: owner.fencingToken, reason: "asked", leaseMs: LEASE_MS };
      const taken = await second.reclaim(request.scope, held);
      expect(await first.reopen(owner)).toBe(false);
      expect(taken && (await second.reopen(taken.claim))).toBe(true);
      expect(taken && (await second.reopen(taken.claim))).toBe(false);
      expect(taken && (await second.complete(taken.claim, okOutcome(randomBytes(1)), 1))).toBe(
        false,
      );
      const again = { ...held, fencingToken: taken?.claim.fencingToken ?? 0n };
      expect(await first.reclaim(request.scope, again)).toBeUndefined();
    });
  });
}
