import { randomBytes } from "node:crypto";
import { fromBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { CachedOutcomeSchema } from "../../../src/gen/payonce/idempotency/v1/outcome_pb.js";
import { encodeOutcome, okOutcome } from "../../../src/idempotency/port/outcome.js";
import { createCachedOutcomes } from "../../../src/stores/redis/cached-outcome.js";
import { goldenCopy, goldenDrawnCopy } from "../../fixtures/outcomes/golden.js";

const scope = { tenant: "tenant", operation: "test.v1.Service/Call", key: "key" };
const copies = createCachedOutcomes({ namespace: () => "test:1" });

describe("a copy of an answer", () => {
  // Around each length at which protobuf writes one more byte for it.
  const sizes = [0, 1, 110, 120, 127, 128, 200, 16_300, 16_383, 16_384, 70_000];
  it.each(sizes)("is the message that the schema describes, with an answer of %i bytes", (size) => {
    const fingerprint = { version: 300, canonical: randomBytes(32), raw: randomBytes(32) };
    const outcome = okOutcome(randomBytes(size));
    const copy = copies.encode(scope, fingerprint, outcome);
    const message = fromBinary(CachedOutcomeSchema, copy);
    expect(message.$unknown ?? []).toEqual([]);
    expect(Buffer.from(message.outcome)).toEqual(Buffer.from(encodeOutcome(outcome)));
    expect(message.fingerprint).toMatchObject({ version: 300 });
    expect(message.checksum).toHaveLength(32);
    const { body } = copies.verify(scope, fingerprint, copy) ?? okOutcome(Buffer.from("none"));
    expect(Buffer.compare(body, outcome.body)).toBe(0);
  });
});

describe("a copy that an older build made", () => {
  it.each([
    ["counted", "1", goldenCopy],
    ["drew", goldenDrawnCopy.generation, goldenDrawnCopy],
  ])("proves itself as the generation that it %s, and as no other", (_, generation, golden) => {
    const golds = [golden.copy, golden.laterCopy].map((copy) => Buffer.from(copy, "hex"));
    const { key, deploymentId } = golden;
    const call = {
      tenant: "default",
      operation: "payonce.payments.v1.PaymentService/CreatePayment",
      key,
    };
    const verifying = (copy: Uint8Array, namespace: string) => {
      const { fingerprint } = fromBinary(CachedOutcomeSchema, copy);
      const asked = {
        version: fingerprint?.version ?? 0,
        canonical: fingerprint?.canonicalSha256 ?? copy,
        raw: fingerprint?.rawSha256 ?? copy,
      };
      return createCachedOutcomes({ namespace: () => namespace }).verify(call, asked, copy);
    };
    for (const copy of golds) {
      const answer = verifying(copy, `payonce:${deploymentId}:${generation}`);
      expect(Buffer.from(answer?.body ?? []).toString("hex")).toBe(golden.answer.body);
      expect(verifying(copy, `payonce:${deploymentId}:2`)).toBeUndefined();
    }
  });
});
