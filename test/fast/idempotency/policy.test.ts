import type { DescService } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { PaymentService } from "../../../src/gen/payonce/payments/v1/payments_pb.js";
import {
  POLICY_DEFAULTS,
  PolicyError,
  policiesOf,
} from "../../../src/idempotency/request/policy.js";
import {
  ContradictoryService,
  GoodService,
  NegativeRetentionService,
  NoLeaseService,
  NumberKeyFieldService,
  NumberKeyService,
  OneofKeyFieldService,
  RepeatedKeyFieldService,
  SharedOperationService,
  StreamService,
  UnknownKeyFieldService,
} from "../../fixtures/gen/payonce/test/v1/policies_pb.js";

describe("the payment service", () => {
  const policies = policiesOf(PaymentService);

  it("needs a key for its writes, and for nothing else", () => {
    expect([...policies.keys()]).toStrictEqual([
      "CreatePayment",
      "CapturePayment",
      "CancelPayment",
      "RefundPayment",
    ]);
  });

  it.each([...policies])("runs a lost %s again under the same key", (name, policy) => {
    const { keyField, ...rest } = policy;
    expect(keyField?.name).toBe("idempotency_key");
    expect(rest).toStrictEqual({
      operation: `payonce.payments.v1.PaymentService/${name}`,
      required: true,
      inFlightWaitMs: 0,
      onLostOwner: "rerun",
      ...POLICY_DEFAULTS,
    });
  });
});

describe("a method's policy", () => {
  const policies = policiesOf(GoodService, { leaseMs: 7, retentionMs: 8 });

  it("is the default without an option", () => {
    expect(policies.get("Plain")).toStrictEqual({
      operation: "payonce.test.v1.GoodService/Plain",
      required: true,
      inFlightWaitMs: 0,
      onLostOwner: "hold",
      retentionMs: 8,
      leaseMs: 7,
      keyField: GoodService.method.plain.input.field.idempotencyKey,
    });
  });

  it("is what the option says, whatever the defaults", () => {
    expect(policies.get("Pinned")).toStrictEqual({
      operation: "orders.place",
      required: false,
      inFlightWaitMs: 250,
      onLostOwner: "rerun",
      retentionMs: 3_600_000,
      leaseMs: 1_500,
      keyField: GoodService.method.pinned.input.field.requestKey,
    });
  });

  it("has no key field if the request has none", () => {
    expect(policies.get("Keyless")?.required).toBe(true);
    expect(policies.get("Keyless")).not.toHaveProperty("keyField");
  });

  it("lets duplicates wait 10 s if it names no bound", () => {
    expect(policies.get("Waiting")?.inFlightWaitMs).toBe(10_000);
  });

  it.each(["Read", "Watch", "UnprotectedUpload"])("does not exist for %s", (name) => {
    expect(policies.has(name)).toBe(false);
  });
});

describe("options that cannot be meant", () => {
  it.each<[what: string, service: DescService, message: string]>([
    ["a key field that does not exist", UnknownKeyFieldService, 'key_field "no_such_field"'],
    ["a key field of another type", NumberKeyFieldService, 'key_field "number"'],
    ["a repeated key field", RepeatedKeyFieldService, 'key_field "strings"'],
    ["a key field in a oneof", OneofKeyFieldService, 'key_field "choice_key"'],
    ["an idempotency_key that is no string", NumberKeyService, 'key_field "idempotency_key"'],
    ["a stream that would need a key", StreamService, "idempotency_level = NO_SIDE_EFFECTS"],
    ["a policy without side effects", ContradictoryService, "takes no idempotency option"],
    ["a lease below 1 ms", NoLeaseService, "lease must be at least 1 ms"],
    ["a negative retention", NegativeRetentionService, "retention must be at least 1 ms"],
    ["two methods of one operation", SharedOperationService, "First and Second share"],
  ])("stop the start: %s", (_what, service, message) => {
    expect(() => policiesOf(service)).toThrow(PolicyError);
    expect(() => policiesOf(service)).toThrow(service.typeName);
    expect(() => policiesOf(service)).toThrow(message);
  });
});
