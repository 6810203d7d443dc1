// The modules in spec/, and what leaving out each thing that they rest on must break.

/**
 * `safety` and `liveness` are the configurations of the design. `smaller` makes them as
 * small as every counterexample allows: the design itself is checked with more.
 *
 * A variant leaves out what its `constants` say. It breaks each property in `breaks`, and
 * none of the other invariants.
 */
export const models = [
  {
    module: "Payonce",
    safety: "Payonce.cfg",
    liveness: "PayonceLiveness.cfg",
    smaller: { MaxFaults: "2" },
    variants: [
      {
        name: "writes without fencing",
        constants: { Fenced: "FALSE" },
        breaks: ["LateOwnerWritesNothing", "NoFalseNotExecuted", "AnswersAgree"],
      },
      {
        name: "a processor key of each attempt's own",
        constants: { DerivedKey: "FALSE" },
        breaks: ["AtMostOneEffect", "AcknowledgedEffect"],
      },
      {
        name: "an unknown outcome taken for not executed",
        constants: { Guess: '"not executed"' },
        breaks: ["NoFalseNotExecuted"],
      },
      {
        name: "an unknown outcome taken for done",
        constants: { Guess: '"done"' },
        breaks: ["AcknowledgedEffect"],
      },
      {
        name: "answers before they are stored",
        constants: { AnswersEarly: "TRUE" },
        breaks: ["AnswersAgree"],
      },
      {
        name: "claims that nobody takes over",
        constants: { TakesOver: "FALSE" },
        breaks: ["NoStuckKey"],
      },
    ],
  },
  {
    module: "Resolve",
    safety: "Resolve.cfg",
    liveness: "ResolveLiveness.cfg",
    smaller: { Workers: "{w1, w2}", MaxFaults: "3" },
    variants: [
      {
        name: "a release forgets the request, and a beginning does not look at it",
        constants: { KeepsRequest: "FALSE", LooksAtRequest: "FALSE" },
        breaks: ["OneFingerprint", "ReservationHasOwner"],
      },
      {
        name: "a release forgets the request",
        constants: { KeepsRequest: "FALSE" },
        breaks: [],
      },
      {
        name: "a beginning does not look at the request",
        constants: { LooksAtRequest: "FALSE" },
        breaks: [],
      },
      {
        name: "not executed leaves the operation begun",
        constants: { EndsOperation: "FALSE" },
        breaks: ["ReservationHasOwner"],
      },
      {
        name: "writes without fencing",
        constants: { Fenced: "FALSE" },
        breaks: [
          "LateOwnerWritesNothing",
          "ReservationHasOwner",
          "NoFalseNotExecuted",
          "OneFingerprint",
          "AcknowledgedEffect",
        ],
      },
      {
        name: "not executed, said of a call on its way",
        constants: { LateCalls: "TRUE" },
        breaks: ["NoFalseNotExecuted", "AcknowledgedEffect"],
      },
      {
        name: "not executed, said of a call on its way, and a new processor key after it",
        constants: { LateCalls: "TRUE", SameKey: "FALSE" },
        breaks: ["AtMostOneEffect", "NoFalseNotExecuted", "AcknowledgedEffect"],
      },
      {
        name: "nobody resolves what is held",
        constants: { Resolves: "FALSE" },
        breaks: ["HeldKeyEnds"],
      },
    ],
  },
  {
    module: "Restore",
    safety: "Restore.cfg",
    smaller: { Workers: "{w1, w2}", MaxFaults: "1" },
    variants: [
      {
        name: "a generation that counts on",
        constants: { Generation: '"counter"' },
        breaks: ["NoForeignCopy", "AnswersAgree", "AtMostOneEffect"],
      },
      {
        name: "a restore that nobody notices",
        constants: { Generation: '"kept"' },
        breaks: ["NoForeignCopy", "AnswersAgree", "AtMostOneEffect"],
      },
      {
        name: "a copy named when it is sent",
        constants: { NamedAt: '"copy"' },
        breaks: ["NoForeignCopy", "AnswersAgree", "AtMostOneEffect"],
      },
      {
        name: "writes that ask for the token alone",
        constants: { ClaimIds: "FALSE" },
        breaks: ["LateOwnerWritesNothing", "AnswersAgree", "NoForeignCopy"],
      },
    ],
  },
  {
    module: "Order",
    safety: "Order.cfg",
    liveness: "OrderLiveness.cfg",
    smaller: { MaxRestores: "1" },
    variants: [
      {
        name: "refusals are final after a restore",
        constants: { NotFinal: '"none"' },
        breaks: ["NoFalseRefusal", "EveryEffectIsKnown"],
      },
      {
        name: "only not found is not final after a restore",
        constants: { NotFinal: '"not found"' },
        breaks: ["NoFalseRefusal", "EveryEffectIsKnown"],
      },
      {
        name: "a restore that nobody notices",
        constants: { Notices: "FALSE" },
        breaks: ["NoFalseRefusal", "EveryEffectIsKnown"],
      },
    ],
  },
  {
    module: "Window",
    safety: "Window.cfg",
    smaller: { Remembers: "4", CallTakes: "1", Wrong: "5", End: "8" },
    variants: [
      {
        name: "no margin for clocks",
        constants: { KeepsMargin: "FALSE" },
        breaks: ["AtMostOneEffect"],
      },
      {
        name: "nothing kept for the call's own time",
        constants: { KeepsCall: "FALSE" },
        breaks: ["AtMostOneEffect"],
      },
      {
        name: "the database's clock alone",
        constants: { Clocks: '"database"' },
        breaks: ["AtMostOneEffect"],
      },
      {
        name: "the process's clock alone",
        constants: { Clocks: '"own"' },
        breaks: ["AtMostOneEffect"],
      },
      {
        name: "an owner may sleep after it looked",
        constants: { LooksLast: "FALSE" },
        breaks: ["AtMostOneEffect"],
      },
      {
        name: "not executed, said of a call on its way",
        constants: { LateCalls: "TRUE" },
        breaks: ["AtMostOneEffect"],
      },
      {
        name: "not executed, said of a call on its way, and the window counts from then",
        constants: { LateCalls: "TRUE", RestartsFrom: '"word"' },
        breaks: [],
      },
    ],
  },
];
