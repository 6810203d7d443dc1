import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { Code } from "../../../src/idempotency/answers/code.js";
import { type Outcome, okOutcome } from "../../../src/idempotency/port/outcome.js";
import type { Claim } from "../../../src/idempotency/port/store.js";
import { createRecentAnswers } from "../../../src/stores/recent-answers.js";
import { PROPERTY_TIMEOUT_MS } from "../../fixtures/property.js";
import { newFingerprint } from "../../support/stores/contract.js";

const TTL_MS = 60_000;
const KIBIBYTE = 1024;

let nowMs = 0;
let generation = "1";

beforeEach(() => {
  nowMs = 0;
  generation = "1";
});

function open(maxBytes?: number) {
  return createRecentAnswers({
    namespace: () => `deployment:${generation}`,
    clock: { nowMs: () => nowMs, setTimer: () => () => {} },
    maxBytes,
  });
}

function claimOf(key: string, change: Partial<Claim["scope"]> = {}): Claim {
  return {
    scope: { tenant: "acme", operation: "test.v1.Service/Call", key, ...change },
    claimId: "claim",
    fingerprint: newFingerprint(),
    fencingToken: 1n,
    attempt: 1,
  };
}

const answer = okOutcome(Buffer.from("the answer"));

describe("answers that a process keeps", () => {
  it("are found by their request, each byte of them", { timeout: PROPERTY_TIMEOUT_MS }, () => {
    const metadata = fc.array(fc.tuple(fc.string(), fc.oneof(fc.string(), fc.uint8Array())));
    const outcomes: fc.Arbitrary<Outcome> = fc.record({
      code: fc.constantFrom(Code.OK, Code.NOT_FOUND),
      message: fc.string(),
      headers: metadata,
      body: fc.uint8Array({ maxLength: 1_000 }),
      trailers: metadata,
    });
    fc.assert(
      fc.property(outcomes, (outcome) => {
        const answers = open();
        const claim = claimOf("key");
        answers.keep(claim, outcome, TTL_MS);
        const { body, ...found } = answers.find(claim.scope, claim.fingerprint) ?? answer;
        const { body: expected, ...rest } = outcome;
        expect(found).toEqual(rest);
        expect(Buffer.compare(body, expected)).toBe(0);
      }),
    );
  });

  it("are not changed by whoever gave or got their bytes", () => {
    const answers = open();
    const body = Buffer.from("the answer");
    const claim = claimOf("key");
    const { canonical, raw, version } = claim.fingerprint;
    const given = { version, canonical: Buffer.from(canonical), raw: Buffer.from(raw) };
    answers.keep({ ...claim, fingerprint: given }, okOutcome(body), TTL_MS);
    for (const bytes of [body, given.canonical, given.raw]) {
      bytes.fill(0);
    }
    const find = () => answers.find(claim.scope, claim.fingerprint)?.body;
    expect(find()).toEqual(Buffer.from("the answer"));
    find()?.fill(0);
    expect(find()).toEqual(Buffer.from("the answer"));
  });

  it("are nobody's but their tenant's, their operation's and their key's", () => {
    const answers = open();
    const claim = claimOf("key");
    answers.keep(claim, answer, TTL_MS);
    for (const change of [{ tenant: "other" }, { operation: "other" }, { key: "other" }]) {
      expect(answers.find({ ...claim.scope, ...change }, claim.fingerprint)).toBeUndefined();
    }
    // The same characters, divided in another way.
    const shifted = { ...claim.scope, tenant: "acmetest", operation: ".v1.Service/Call" };
    expect(answers.find(shifted, claim.fingerprint)).toBeUndefined();
  });

  it("answer no other request, and stay for their own", () => {
    const answers = open();
    const claim = claimOf("key");
    answers.keep(claim, answer, TTL_MS);
    expect(answers.find(claim.scope, newFingerprint())).toBeUndefined();
    expect(answers.find(claim.scope, claim.fingerprint)).toEqual(answer);
  });

  it("end with their time", () => {
    const answers = open();
    const claim = claimOf("key");
    answers.keep(claim, answer, TTL_MS);
    nowMs = TTL_MS - 1;
    expect(answers.find(claim.scope, claim.fingerprint)).toEqual(answer);
    nowMs = TTL_MS;
    expect(answers.find(claim.scope, claim.fingerprint)).toBeUndefined();
  });

  it("are forgotten once the database is another one, restored", () => {
    const answers = open(64 * KIBIBYTE);
    const claims = Array.from({ length: 40 }, (_, index) => claimOf(`key-${index}`));
    for (const claim of claims) {
      answers.keep(claim, answer, TTL_MS);
    }
    const found = () =>
      claims.filter(({ scope, fingerprint }) => answers.find(scope, fingerprint)).length;
    generation = "2";
    expect(found()).toBe(0);
    generation = "1";
    expect(found()).toBe(0);
  });

  it("take no more memory than they may: those that nobody asks for go, the oldest first", () => {
    const answers = open(64 * KIBIBYTE);
    const claims = Array.from({ length: 1_000 }, (_, index) => claimOf(`key-${index}`));
    for (const claim of claims) {
      answers.keep(claim, answer, TTL_MS);
    }
    // Each takes more than 800 bytes, and looking for one counts as asking.
    const isKept = claims
      .toReversed()
      .map(({ scope, fingerprint }) => answers.find(scope, fingerprint) !== undefined);
    const count = isKept.filter(Boolean).length;
    expect(count).toBeGreaterThan(25);
    expect(count).toBeLessThan((64 * KIBIBYTE) / 800);
    expect(isKept).toEqual(claims.map((_, index) => index < count));
  });

  it("stay while they are asked for", () => {
    const answers = open(8 * KIBIBYTE);
    const claim = claimOf("key");
    answers.keep(claim, answer, TTL_MS);
    for (let others = 0; others < 100; others += 1) {
      answers.keep(claimOf(`other-${others}`), answer, TTL_MS);
      expect(answers.find(claim.scope, claim.fingerprint)).toEqual(answer);
    }
  });

  it.each([
    ["body", okOutcome(Buffer.alloc(8 * KIBIBYTE))],
    ["headers", { ...answer, headers: [["name", "x".repeat(8 * KIBIBYTE)]] }],
    ["trailers", { ...answer, trailers: [["name-bin", Buffer.alloc(8 * KIBIBYTE)]] }],
    ["message", { ...answer, message: "x".repeat(8 * KIBIBYTE) }],
  ] satisfies [string, Outcome][])("count their %s", (_, large) => {
    const answers = open(64 * KIBIBYTE);
    const claims = Array.from({ length: 20 }, (_, index) => claimOf(`key-${index}`));
    for (const claim of claims) {
      answers.keep(claim, large, TTL_MS);
    }
    const kept = claims
      .toReversed()
      .filter(({ scope, fingerprint }) => answers.find(scope, fingerprint));
    // More than eight and a half kibibytes each.
    expect(kept.length).toBeGreaterThan(2);
    expect(kept.length * 8.5).toBeLessThan(64);
  });

  it("are none where there is no memory for them, and one that is too large costs no other", () => {
    const none = open(0);
    const claim = claimOf("key");
    none.keep(claim, answer, TTL_MS);
    expect(none.find(claim.scope, claim.fingerprint)).toBeUndefined();

    const answers = open(64 * KIBIBYTE);
    answers.keep(claim, answer, TTL_MS);
    answers.keep(claimOf("large"), okOutcome(Buffer.alloc(32 * KIBIBYTE)), TTL_MS);
    expect(answers.find(claim.scope, claim.fingerprint)).toEqual(answer);
  });
});
