import { randomBytes, randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Code } from "../../../src/idempotency/answers/code.js";
import { type Outcome, okOutcome } from "../../../src/idempotency/port/outcome.js";
import type {
  Claim,
  ClaimRequest,
  ClaimResult,
  IdempotencyStore,
} from "../../../src/idempotency/port/store.js";
import type { Fingerprint } from "../../../src/idempotency/request/fingerprint.js";

/** Two clients of one store, as two service processes would be. */
export interface StoresUnderTest {
  readonly first: IdempotencyStore<never>;
  readonly second: IdempotencyStore<never>;
  close(): Promise<void>;
}

const LONG_LEASE_MS = 30_000;
const SHORT_LEASE_MS = 150;
const RETENTION_MS = 60_000;

const answer: Outcome = {
  code: Code.OK,
  message: "",
  headers: [["x-served-by", "first"]],
  body: new Uint8Array([1, 2, 3, 255]),
  trailers: [["x-checksum-bin", new Uint8Array([0, 127, 128])]],
};

/** The record is held, and a store knows for how long: longer the later it is asked. */
async function expectHeldLonger(store: IdempotencyStore<never>, request: ClaimRequest) {
  const heldMs: number[] = [];
  for (const waitMs of [0, 50]) {
    await sleep(waitMs);
    const result = await store.claim(again(request));
    expect(result.kind).toBe("held");
    heldMs.push(result.kind === "held" ? result.heldMs : Number.NaN);
  }
  const [earlierMs = Number.NaN, laterMs] = heldMs;
  expect(earlierMs).toBeGreaterThanOrEqual(0);
  expect(earlierMs).toBeLessThan(LONG_LEASE_MS); // not counted from the claim's lease
  expect(laterMs).toBeGreaterThanOrEqual(earlierMs + 40);
}

/** What every store promises, whatever it is made of and decorated with. */
export function storeContract(name: string, open: () => Promise<StoresUnderTest>): void {
  describe(name, () => {
    let stores: StoresUnderTest;
    let first: IdempotencyStore<never>;
    let second: IdempotencyStore<never>;

    beforeAll(async () => {
      stores = await open();
      ({ first, second } = stores);
    });
    afterAll(() => stores?.close());

    describe("claiming", () => {
      it("grants a new key, with a fencing token and the first attempt", async () => {
        const request = newRequest();
        const claim = claimOf(await first.claim(request));
        expect(claim).toMatchObject({ scope: request.scope, claimId: request.claimId, attempt: 1 });
        expect(claim.fencingToken).toBeGreaterThan(0n);
      });

      it("tells a duplicate that the call is executing, and for how long", async () => {
        const request = newRequest();
        await first.claim(request);
        await sleep(20);
        const result = await second.claim(again(request));
        expect(result.kind).toBe("in_progress");
        if (result.kind === "in_progress") {
          expect(result.leaseRemainingMs).toBeGreaterThan(0);
          expect(result.leaseRemainingMs).toBeLessThanOrEqual(LONG_LEASE_MS);
        }
      });

      it("grants one of a hundred concurrent claims over two clients", async () => {
        const request = newRequest();
        const results = await Promise.all(
          Array.from({ length: 100 }, (_, index) =>
            (index % 2 === 0 ? first : second).claim(again(request)),
          ),
        );
        expect(results.filter(({ kind }) => kind === "claimed")).toHaveLength(1);
        expect(results.filter(({ kind }) => kind === "in_progress")).toHaveLength(99);
      });

      it("recognises the owner whose reply was lost by its claim id", async () => {
        const request = newRequest();
        const claim = claimOf(await first.claim(request));
        // Only the store of record can know: a gate's lock is not in the reply.
        const asked = await recordStore(first, request).claim(request);
        expect(claimOf(asked).fencingToken).toBe(claim.fencingToken);
      });

      it("refuses another request under the same key, in flight and after the answer", async () => {
        const request = newRequest();
        const other = { ...again(request), fingerprint: newFingerprint() };
        const claim = claimOf(await first.claim(request));
        expect(await second.claim(other)).toEqual({ kind: "mismatch" });
        await first.complete(claim, answer, RETENTION_MS);
        expect(await second.claim(other)).toEqual({ kind: "mismatch" });
      });

      it("takes equal bytes for the same request, whatever the canonical form says", async () => {
        const request = newRequest();
        const claim = claimOf(await first.claim(request));
        await first.complete(claim, answer, RETENTION_MS);
        const newerBuild = {
          ...again(request),
          fingerprint: { ...newFingerprint(), version: 2, raw: request.fingerprint.raw },
        };
        expect((await second.claim(newerBuild)).kind).toBe("replay");
      });

      it("keeps tenants, operations and keys apart", async () => {
        const request = newRequest();
        await first.claim(request);
        for (const changed of [{ tenant: "other" }, { operation: "other" }, { key: "other" }]) {
          const scope = { ...request.scope, ...changed, key: changed.key ?? request.scope.key };
          expect((await second.claim({ ...newRequest(), scope })).kind).toBe("claimed");
        }
      });
    });

    describe("completing", () => {
      it("replays the outcome with everything in it, to every client", async () => {
        const request = newRequest();
        const claim = claimOf(await first.claim(request));
        expect(await first.complete(claim, answer, RETENTION_MS)).toBe(true);
        for (const store of [first, second]) {
          const result = await store.claim(again(request));
          expect(result).toEqual({ kind: "replay", outcome: normalized(answer) });
        }
      });

      it("replays errors too", async () => {
        const request = newRequest();
        const claim = claimOf(await first.claim(request));
        const error: Outcome = { ...answer, code: Code.FAILED_PRECONDITION, message: "no ✓" };
        await first.complete(claim, error, RETENTION_MS);
        expect(await second.claim(again(request))).toEqual({
          kind: "replay",
          outcome: normalized(error),
        });
      });

      it("keeps an answer of two megabytes", async () => {
        const request = newRequest();
        const claim = claimOf(await first.claim(request));
        const large = okOutcome(randomBytes(2 * 1024 * 1024));
        await first.complete(claim, large, RETENTION_MS);
        const result = await second.claim(again(request));
        expect(result.kind === "replay" && Buffer.compare(result.outcome.body, large.body)).toBe(0);
      });

      it("says yes again to the owner whose reply was lost", async () => {
        const claim = claimOf(await first.claim(newRequest()));
        expect(await first.complete(claim, answer, RETENTION_MS)).toBe(true);
        expect(await first.complete(claim, answer, RETENTION_MS)).toBe(true);
      });

      it("cannot be undone by its own owner", async () => {
        const request = newRequest();
        const claim = claimOf(await first.claim(request));
        await first.complete(claim, answer, RETENTION_MS);
        expect(await first.release(claim)).toBe(false);
        expect(await first.extend(claim, LONG_LEASE_MS)).toBe(false);
        expect(await first.suspend(claim, { kind: "hold", reason: "late" })).toBe(false);
        expect((await second.claim(again(request))).kind).toBe("replay");
      });
    });

    describe("releasing", () => {
      it("frees the key, for another request too, under a token never seen before", async () => {
        const request = newRequest();
        const claim = claimOf(await first.claim(request));
        expect(await first.release(claim)).toBe(true);
        const next = claimOf(
          await second.claim({ ...again(request), fingerprint: newFingerprint() }),
        );
        expect(next.attempt).toBe(1);
        expect(next.fencingToken).toBeGreaterThan(claim.fencingToken);
      });
    });

    describe("reopening", () => {
      it("frees the key for its own request alone, which then is a first attempt", async () => {
        const request = newRequest();
        const claim = claimOf(await first.claim(request));
        expect(await first.reopen(claim)).toBe(true);
        const other = { ...again(request), fingerprint: newFingerprint() };
        expect(await second.claim(other)).toEqual({ kind: "mismatch" });
        expect((await second.get(request.scope))?.record.state).toBe("released");
        const next = claimOf(await second.claim(again(request)));
        expect(next.fencingToken).toBeGreaterThan(claim.fencingToken);
        expect(next.attempt).toBe(1);
        expect(await second.complete(next, answer, RETENTION_MS)).toBe(true);
        expect(await first.claim(other)).toEqual({ kind: "mismatch" });
        expect((await first.claim(again(request))).kind).toBe("replay");
      });

      it("grants one of a hundred concurrent claims, and the others wait for it", async () => {
        const request = newRequest();
        await first.reopen(claimOf(await first.claim(request)));
        const results = await Promise.all(
          Array.from({ length: 100 }, (_, index) =>
            (index % 2 === 0 ? first : second).claim(again(request)),
          ),
        );
        expect(results.filter(({ kind }) => kind === "claimed")).toHaveLength(1);
        expect(results.filter(({ kind }) => kind === "in_progress")).toHaveLength(99);
      });

      it("runs again from the request and the policy that came last", async () => {
        const request = { ...newRequest(), leaseMs: SHORT_LEASE_MS };
        await first.reopen(claimOf(await first.claim({ ...request, onLostOwner: "hold" })));
        const sent = new Uint8Array([4, 5, 6]);
        await first.claim({ ...again(request), request: sent, onLostOwner: "rerun" });
        await sleep(2 * SHORT_LEASE_MS);
        const [taken] = await first.takeOverExpired({
          operations: [request.scope.operation],
          limit: 1,
          leaseMs: LONG_LEASE_MS,
        });
        expect(Buffer.from(taken?.request ?? [])).toEqual(Buffer.from(sent));
        expect(taken?.claim.attempt).toBe(2);
      });

      it("fences the owner from before, and refuses what is answered", async () => {
        const request = newRequest();
        const claim = claimOf(await first.claim(request));
        await first.reopen(claim);
        expect(await first.complete(claim, answer, RETENTION_MS)).toBe(false);
        expect(await first.extend(claim, LONG_LEASE_MS)).toBe(false);
        expect(await first.release(claim)).toBe(false);
        const next = claimOf(await second.claim(again(request)));
        expect(await first.reopen(claim)).toBe(false);
        await second.complete(next, answer, RETENTION_MS);
        expect(await second.reopen(next)).toBe(false);
      });

      it("keeps a key that an operator has had its request's, also where that did nothing again", async () => {
        const request = newRequest();
        const held = claimOf(await first.claim(request));
        await first.suspend(held, { kind: "hold", reason: "crash" });
        const { fencingToken } = held;
        const operator = { fencingToken, reason: "nothing there", leaseMs: LONG_LEASE_MS };
        const taken = await second.reclaim(request.scope, operator);
        expect(await first.reopen(held)).toBe(false);
        expect(taken && (await second.reopen(taken.claim))).toBe(true);

        const claim = claimOf(await first.claim(again(request)));
        expect(await first.release(claim)).toBe(true);
        expect((await second.get(request.scope))?.record.state).toBe("released");
        const other = { ...again(request), fingerprint: newFingerprint() };
        expect(await second.claim(other)).toEqual({ kind: "mismatch" });
        expect(claimOf(await second.claim(again(request))).attempt).toBe(1);
      });
    });

    describe("a token that was given twice, by a sequence that was restored", () => {
      it("is no proof without the claim's id", async () => {
        const request = newRequest();
        const claim = claimOf(await first.claim(request));
        const stranger = { ...claim, claimId: randomUUID() };
        expect(await first.extend(stranger, LONG_LEASE_MS)).toBe(false);
        expect(await first.complete(stranger, answer, RETENTION_MS)).toBe(false);
        expect(await first.suspend(stranger, { kind: "hold", reason: "late" })).toBe(false);
        expect(await first.reopen(stranger)).toBe(false);
        expect(await first.release(stranger)).toBe(false);
        expect(await first.complete(claim, answer, RETENTION_MS)).toBe(true);
      });
    });

    describe("an expired lease", () => {
      it("lets the next duplicate take over, with a higher token, where a rerun is allowed", async () => {
        const request = newRequest({ leaseMs: SHORT_LEASE_MS });
        const lost = claimOf(await first.claim(request));
        await sleep(SHORT_LEASE_MS * 1.5);
        const taken = claimOf(await second.claim(again(request)));
        expect(taken.attempt).toBe(2);
        expect(taken.fencingToken).toBeGreaterThan(lost.fencingToken);
      });

      it("lets exactly one of many duplicates take over", async () => {
        const request = newRequest({ leaseMs: SHORT_LEASE_MS });
        await first.claim(request);
        await sleep(SHORT_LEASE_MS * 1.5);
        const results = await Promise.all(
          Array.from({ length: 20 }, (_, index) =>
            (index % 2 === 0 ? first : second).claim({ ...again(request), leaseMs: LONG_LEASE_MS }),
          ),
        );
        expect(results.filter(({ kind }) => kind === "claimed")).toHaveLength(1);
      });

      it("fences the late owner: it cannot complete, extend, suspend or release", async () => {
        const request = newRequest({ leaseMs: SHORT_LEASE_MS });
        const late = claimOf(await first.claim(request));
        await sleep(SHORT_LEASE_MS * 1.5);
        const owner = claimOf(await second.claim({ ...again(request), leaseMs: LONG_LEASE_MS }));
        expect(await first.complete(late, okOutcome(new Uint8Array([9])), RETENTION_MS)).toBe(
          false,
        );
        expect(await first.extend(late, LONG_LEASE_MS)).toBe(false);
        expect(await first.suspend(late, { kind: "hold", reason: "late" })).toBe(false);
        expect(await first.release(late)).toBe(false);
        expect(await second.complete(owner, answer, RETENTION_MS)).toBe(true);
        expect(await first.claim(again(request))).toEqual({
          kind: "replay",
          outcome: normalized(answer),
        });
      });

      it("is put off by the owner's heartbeat", async () => {
        const request = newRequest({ leaseMs: SHORT_LEASE_MS });
        const claim = claimOf(await first.claim(request));
        for (let beat = 0; beat < 5; beat += 1) {
          await sleep(SHORT_LEASE_MS / 3);
          expect(await first.extend(claim, SHORT_LEASE_MS)).toBe(true);
        }
        expect((await second.claim(again(request))).kind).toBe("in_progress");
      });

      it("holds the key where a rerun is not allowed, until its owner completes after all", async () => {
        const request = newRequest({ leaseMs: SHORT_LEASE_MS, onLostOwner: "hold" });
        const claim = claimOf(await first.claim(request));
        await sleep(SHORT_LEASE_MS * 1.5);
        await expectHeldLonger(second, request);
        expect(await first.complete(claim, answer, RETENTION_MS)).toBe(true);
        expect((await second.claim(again(request))).kind).toBe("replay");
      });

      it("gives each claim to one of two recoverers, never one that must be held", async () => {
        const reruns = Array.from({ length: 6 }, () => newRequest({ leaseMs: 1 }));
        const hold = newRequest({ leaseMs: 1, onLostOwner: "hold" });
        for (const request of [...reruns, hold]) {
          await first.claim(request);
        }
        await sleep(20);
        const operations = [hold.scope.operation];
        const options = { operations, limit: 100, leaseMs: LONG_LEASE_MS };
        const batches = await Promise.all([
          first.takeOverExpired(options),
          second.takeOverExpired(options),
        ]);
        const keys = batches.flat().map(({ claim }) => claim.scope.key);
        for (const { scope } of reruns) {
          expect(keys.filter((key) => key === scope.key)).toHaveLength(1);
        }
        expect(keys).not.toContain(hold.scope.key);
        const one = batches.flat().find(({ claim }) => claim.scope.key === reruns[0]?.scope.key);
        expect(one?.claim.attempt).toBe(2);
        expect(one && Buffer.compare(one.request, reruns[0]?.request ?? Buffer.alloc(0))).toBe(0);
        expect(one && (await first.complete(one.claim, answer, RETENTION_MS))).toBe(true);
      });
    });

    describe("recovery", () => {
      it("leaves claims of operations alone that it does not know", async () => {
        const request = newRequest({ leaseMs: 1 });
        await first.claim(request);
        await sleep(20);
        const options = { operations: ["other.v1.Service/Call"], limit: 100, leaseMs: 1 };
        expect(await first.takeOverExpired(options)).toEqual([]);
      });

      it("gives every tenant a turn, and of one tenant the newest and the oldest claim", async () => {
        const operation = `test.v1.Service/${randomUUID()}`;
        const lose = async (tenant: string) => {
          const request = newRequest({ leaseMs: 1 });
          const scope = { tenant, operation, key: request.scope.key };
          await first.claim({ ...request, scope });
          await sleep(5);
          return scope.key;
        };
        const many = [await lose("many"), await lose("many"), await lose("many")];
        const one = await lose("one");
        many.push(await lose("many"), await lose("many"));
        await sleep(20);
        const take = async (limit: number, exceptTenants: readonly string[] = []) => {
          const options = { operations: [operation], limit, leaseMs: LONG_LEASE_MS };
          const taken = await second.takeOverExpired({ ...options, exceptTenants });
          return taken.map(({ claim }) => claim.scope.key).sort();
        };
        expect(await take(100, ["many", "one"])).toEqual([]);
        expect(await take(3)).toEqual([many[0], one, many.at(-1)].sort());
        expect(await take(100)).toEqual(many.slice(1, -1).sort());
      });

      it("backs off from a claim that ends its owners, which a caller need not", async () => {
        const scope = { ...newRequest().scope, operation: `test.v1.Service/${randomUUID()}` };
        const request = { ...newRequest({ leaseMs: 1 }), scope };
        await first.claim(request);
        await sleep(20);
        const options = { operations: [scope.operation], limit: 100, leaseMs: 1 };
        expect(await first.takeOverExpired(options)).toHaveLength(1);
        await sleep(20);
        expect(await first.takeOverExpired(options)).toEqual([]);
        await sleep(1_000);
        expect(await second.takeOverExpired(options)).toHaveLength(1);
        await sleep(20);
        expect(claimOf(await second.claim(again(request))).attempt).toBe(4);
      });
    });

    describe("suspending", () => {
      it("lets another attempt in after the delay, not before", async () => {
        const request = newRequest();
        const claim = claimOf(await first.claim(request));
        await first.suspend(claim, { kind: "rerun", afterMs: 200, reason: "no reply" });
        expect((await second.claim(again(request))).kind).toBe("in_progress");
        await sleep(300);
        expect(claimOf(await second.claim(again(request))).attempt).toBe(2);
      });

      it("holds the key until an operator reclaims it and completes it", async () => {
        const request = newRequest();
        const claim = claimOf(await first.claim(request));
        await first.suspend(claim, { kind: "hold", reason: "window passed" });
        await expectHeldLonger(second, request);
        const found = await second.get(request.scope);
        expect(found?.record).toMatchObject({ state: "held", unknownReason: "window passed" });

        const { fencingToken } = claim;
        const reclaim = (token: bigint, reason: string) =>
          second.reclaim(request.scope, { fencingToken: token, reason, leaseMs: LONG_LEASE_MS });
        expect(await reclaim(fencingToken + 1n, "stale")).toBeUndefined();
        const taken = await reclaim(fencingToken, "asked the bank");
        expect(await reclaim(fencingToken, "a second operator")).toBeUndefined();
        expect(taken && Buffer.compare(taken.request, request.request)).toBe(0);
        expect(taken && (await second.complete(taken.claim, answer, RETENTION_MS))).toBe(true);
        expect((await first.claim(again(request))).kind).toBe("replay");
        expect(await first.complete(claim, okOutcome(new Uint8Array()), RETENTION_MS)).toBe(false);
        const events = (await second.get(request.scope))?.events ?? [];
        expect(events.map(({ type, detail }) => [type, detail])).toEqual([
          ["outcome_unknown", "window passed"],
          ["resolved", "asked the bank"],
        ]);
      });

      it("frees a held key that an operator reclaims and releases", async () => {
        const request = newRequest();
        const { fencingToken } = await holdOf(request);
        const held = { fencingToken, reason: "nothing at the bank", leaseMs: LONG_LEASE_MS };
        const taken = await second.reclaim(request.scope, held);
        expect(taken && (await second.release(taken.claim))).toBe(true);
        expect(claimOf(await first.claim(again(request))).attempt).toBe(1);
      });

      it("lets no operator reclaim what is executing or answered", async () => {
        const request = newRequest();
        const claim = claimOf(await first.claim(request));
        const reclaim = () =>
          second.reclaim(request.scope, { ...claim, reason: "mistake", leaseMs: LONG_LEASE_MS });
        expect(await reclaim()).toBeUndefined();
        await first.complete(claim, answer, RETENTION_MS);
        expect(await reclaim()).toBeUndefined();
      });

      async function holdOf(request: ClaimRequest): Promise<Claim> {
        const claim = claimOf(await first.claim(request));
        await first.suspend(claim, { kind: "hold", reason: "crash" });
        return claim;
      }
    });

    describe("retention", () => {
      it("refuses a key past it for good, before and after the reaper", async () => {
        const request = newRequest();
        const claim = claimOf(await first.claim(request));
        await first.complete(claim, answer, 100);
        await sleep(200);
        const other = { ...again(request), fingerprint: newFingerprint() };
        for (const reaped of [false, true]) {
          if (reaped) {
            expect(await first.reap(1000)).toBeGreaterThan(0);
          }
          expect((await second.claim(again(request))).kind).toBe("expired");
          expect((await second.claim(other)).kind).toBe("mismatch");
        }
      });
    });

    describe("inspection", () => {
      it("lists a tenant's records in pages, the newest first, by state and operation", async () => {
        const tenant = `tenant-${randomUUID()}`;
        const requests = Array.from({ length: 5 }, () => {
          const request = newRequest();
          return { ...request, scope: { ...request.scope, tenant } };
        });
        for (const request of requests) {
          await first.claim(request);
        }
        const keys: (string | undefined)[] = [];
        let pageToken: string | undefined;
        do {
          const page = await second.list({
            tenant,
            state: "executing",
            operation: requests[0]?.scope.operation ?? "",
            pageSize: 2,
            ...(pageToken === undefined ? {} : { pageToken }),
          });
          keys.push(...page.records.map(({ key }) => key));
          pageToken = page.nextPageToken;
        } while (pageToken !== undefined);
        expect(keys).toEqual(requests.map(({ scope }) => scope.key).reverse());
        expect((await second.list({ tenant, state: "held", pageSize: 2 })).records).toEqual([]);
        expect((await second.list({ tenant: "nobody", pageSize: 2 })).records).toEqual([]);
      });
    });
  });
}

export function newRequest(
  more: Partial<Pick<ClaimRequest, "leaseMs" | "onLostOwner">> = {},
): ClaimRequest {
  return {
    scope: { tenant: "default", operation: "test.v1.Service/Call", key: randomUUID() },
    claimId: randomUUID(),
    fingerprint: newFingerprint(),
    request: randomBytes(40),
    onLostOwner: "rerun",
    leaseMs: LONG_LEASE_MS,
    ...more,
  };
}

/** The same call, sent again. */
export function again(request: ClaimRequest): ClaimRequest {
  return { ...request, claimId: randomUUID() };
}

export function newFingerprint(): Fingerprint {
  return { version: 1, canonical: randomBytes(32), raw: randomBytes(32) };
}

export function claimOf(result: ClaimResult): Claim {
  if (result.kind !== "claimed") {
    throw new Error(`expected a claim, got ${result.kind}`);
  }
  return result.claim;
}

/** An outcome with its bytes in the one form that comparison understands. */
function normalized(outcome: Outcome): unknown {
  const bytes = (value: string | Uint8Array) =>
    typeof value === "string"
      ? value
      : expect.toSatisfy((actual: Uint8Array) => Buffer.compare(actual, value) === 0);
  return {
    ...outcome,
    body: bytes(outcome.body),
    headers: outcome.headers.map(([name, value]) => [name, bytes(value)]),
    trailers: outcome.trailers.map(([name, value]) => [name, bytes(value)]),
  };
}

/** Stands for a retry that the gate lets through, as after its lock was given back. */
function recordStore(
  store: IdempotencyStore<never>,
  request: ClaimRequest,
): Pick<IdempotencyStore<never>, "claim"> {
  const changed = { ...request.fingerprint, canonical: randomBytes(32) };
  return { claim: (asked) => store.claim({ ...asked, fingerprint: changed }) };
}
