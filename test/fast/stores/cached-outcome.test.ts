import { randomBytes } from "node:crypto";
import { fromBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { CachedOutcomeSchema } from "../../../src/gen/payonce/idempotency/v1/outcome_pb.js";
import { encodeOutcome, okOutcome } from "../../../src/idempotency/outcome.js";
import { createCachedOutcomes } from "../../../src/stores/redis/cached-outcome.js";

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
