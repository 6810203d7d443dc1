import { sameRequest } from "../../idempotency/request/fingerprint.js";
import { type Check, checkEach, keyText, together } from "../check.js";
import { type ClientCall, meaningOf } from "../client-call.js";
import type { PaymentKey } from "../index-facts.js";
import { requestFingerprint } from "../payment-methods.js";

/** A request is stored until it is answered; afterwards only clients know what they sent. */
export const singleRequests: Check = {
  id: "I7",
  title: "a key is executed for one request only",
  needsCalls: false,
  check: (facts) =>
    together(
      checkEach(facts.keys, ({ scope }) => keyText(scope), problemsOfKey),
      checkEach(
        facts.callsByScope.values(),
        ([call]) => (call === undefined ? "" : keyText(call.scope)),
        problemsOfCalls,
      ),
    ),
};

function* problemsOfKey({ record, scope, kind }: PaymentKey): Iterable<string> {
  if (record.request === undefined) {
    return;
  }
  const fingerprint = requestFingerprint(kind, scope.operation, record.request);
  if (fingerprint === undefined || !sameRequest(fingerprint, record.fingerprint)) {
    yield "has a stored request that is not the one it was claimed for";
  }
}

function* problemsOfCalls(calls: readonly ClientCall[]): Iterable<string> {
  const answered = calls.filter((call) => meaningOf(call) === "answer");
  const requests = new Set(answered.map(({ request }) => request));
  if (requests.size > 1) {
    yield `was answered for ${requests.size} different requests`;
  }
}
