import {
  AMOUNT,
  approvedPayment,
  type ContractCase,
  eur,
  mustApprove,
  mustDecline,
  mustHaveEffects,
  paymentOf,
} from "../case.js";

const authorized = { kind: "authorize", amount: AMOUNT } as const;
const charged = { kind: "charge", amount: AMOUNT } as const;

/** Operations that follow an authorization. */
export const partCases: readonly ContractCase[] = [
  {
    name: "an authorization that captures is one effect",
    needs: [],
    async run(test) {
      const payment = await approvedPayment(test, { capture: true });
      await mustHaveEffects(test, payment, [charged]);
    },
  },
  {
    name: "two payments with all the same terms are two effects, each under its own names",
    needs: [],
    async run(test) {
      const one = await approvedPayment(test);
      const other = await approvedPayment(test);
      await mustHaveEffects(test, one, [authorized]);
      await mustHaveEffects(test, other, [authorized]);
    },
  },
  {
    name: "a part is captured, and then another if that is declared, and never more than is left",
    needs: [],
    async run(test) {
      const payment = await approvedPayment(test);
      const first = { kind: "capture", amount: eur(400n) } as const;
      await mustApprove(test, payment, "capture", first.amount);
      if (test.setup.traits.capturesInParts) {
        const second = { kind: "capture", amount: eur(600n) } as const;
        await mustDecline(test, payment, "capture", eur(601n));
        await mustApprove(test, payment, "capture", second.amount);
        await mustDecline(test, payment, "capture", eur(1n));
        await mustHaveEffects(test, payment, [authorized, first, second]);
      } else {
        await mustDecline(test, payment, "capture", eur(600n));
        await mustHaveEffects(test, payment, [authorized, first]);
      }
    },
  },
  {
    name: "a capture of more than is authorized is declined, and has no effect",
    needs: [],
    async run(test) {
      const payment = await approvedPayment(test);
      await mustDecline(test, payment, "capture", eur(1001n));
      await mustHaveEffects(test, payment, [authorized]);
    },
  },
  {
    name: "refunds in parts are made, and one of more than is captured is declined without an effect",
    needs: [],
    async run(test) {
      const payment = await approvedPayment(test, { capture: true });
      await mustDecline(test, payment, "refund", eur(1001n));
      await mustApprove(test, payment, "refund", eur(300n));
      await mustApprove(test, payment, "refund", eur(700n));
      await mustDecline(test, payment, "refund", eur(1n));
      await mustHaveEffects(test, payment, [
        charged,
        { kind: "refund", amount: eur(300n) },
        { kind: "refund", amount: eur(700n) },
      ]);
    },
  },
  {
    name: "a void gives up an authorization, and nothing is captured after it",
    needs: [],
    async run(test) {
      const payment = await approvedPayment(test);
      await mustApprove(test, payment, "cancel");
      await mustDecline(test, payment, "capture");
      await mustHaveEffects(test, payment, [authorized, { kind: "void" }]);
    },
  },
  {
    name: "a void of what is captured is declined, and has no effect",
    needs: [],
    async run(test) {
      const payment = await approvedPayment(test, { capture: true });
      await mustDecline(test, payment, "cancel");
      await mustHaveEffects(test, payment, [charged]);
    },
  },
  {
    name: "captures, voids and refunds find their authorization by our names, where its reference is not known",
    needs: ["look-up"],
    async run(test) {
      const captured = await approvedPayment(test);
      delete captured.reference;
      await mustApprove(test, captured, "capture");
      await mustApprove(test, captured, "refund");
      await mustHaveEffects(test, captured, [
        authorized,
        { kind: "capture", amount: AMOUNT },
        { kind: "refund", amount: AMOUNT },
      ]);
      const voided = await approvedPayment(test);
      delete voided.reference;
      await mustApprove(test, voided, "cancel");
      await mustHaveEffects(test, voided, [authorized, { kind: "void" }]);
    },
  },
  {
    name: "a capture on a payment that was never authorized is no success, and has no effect",
    needs: [],
    async run(test) {
      const payment = paymentOf(test);
      await test.operator.settle(payment, "capture");
      await mustHaveEffects(test, payment, []);
    },
  },
];
