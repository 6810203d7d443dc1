import { create, type DescMethod, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import {
  keyedMethod,
  keyInBytes,
  keyInMessage,
  nameOf,
} from "../../../clients/typescript/src/keys.js";
import { InspectionService } from "../../../src/gen/payonce/idempotency/v1/inspection_pb.js";
import {
  CreatePaymentRequestSchema,
  PaymentService,
} from "../../../src/gen/payonce/payments/v1/payments_pb.js";
import { SandboxProcessorService } from "../../../src/gen/payonce/sandbox/v1/sandbox_pb.js";
import { policiesOf } from "../../../src/idempotency/request/policy.js";
import { GoodService } from "../../fixtures/gen/payonce/test/v1/policies_pb.js";

function keyedNames(methods: readonly DescMethod[]): string[] {
  return methods.filter((method) => keyedMethod(method) !== undefined).map(nameOf);
}

function createPayment() {
  const keyed = keyedMethod(PaymentService.method.createPayment);
  if (keyed === undefined) {
    throw new Error("CreatePayment needs a key");
  }
  return keyed;
}

describe("a key", () => {
  it("is for the methods whose option says so", () => {
    expect(keyedNames(PaymentService.methods)).toEqual([
      "payonce.payments.v1.PaymentService/CreatePayment",
      "payonce.payments.v1.PaymentService/CapturePayment",
      "payonce.payments.v1.PaymentService/CancelPayment",
      "payonce.payments.v1.PaymentService/RefundPayment",
    ]);
  });

  it("is not for methods that do not require one, or have no option", () => {
    expect(keyedNames(InspectionService.methods)).toEqual([]);
    expect(keyedNames(SandboxProcessorService.methods)).toEqual([]);
  });

  it("is for every method of a protected service that has side effects, also without the option", () => {
    const required = GoodService.methods.filter(
      ({ name }) => policiesOf(GoodService).get(name)?.required === true,
    );
    expect(required.map(({ name }) => name)).toEqual(["Plain", "Keyless", "Waiting"]);
    expect(keyedNames(GoodService.methods)).toEqual(required.map(nameOf));
  });

  it("may be in the request's field, whichever generator made the message", () => {
    const request = create(CreatePaymentRequestSchema, { idempotencyKey: "order-1" });
    expect(keyInMessage(createPayment(), request)).toBe("order-1");
    const bytes = toBinary(CreatePaymentRequestSchema, request);
    expect(keyInBytes(createPayment(), bytes)).toBe("order-1");
  });

  it("is missing if the field is empty", () => {
    expect(keyInMessage(createPayment(), create(CreatePaymentRequestSchema))).toBeUndefined();
  });
});
