import { type Check, checkEach, keyText } from "../check.js";
import { answerText, meaningOf } from "../client-call.js";

export const equalAnswers: Check = {
  id: "I8",
  title: "a replay equals the first answer in all its parts",
  needsCalls: true,
  check: ({ callsByScope }) =>
    checkEach(
      callsByScope.values(),
      ([call]) => (call === undefined ? "" : keyText(call.scope)),
      function* (calls) {
        const answers = calls.filter((call) => meaningOf(call) === "answer").map(answerText);
        const different = new Set(answers).size;
        if (different > 1) {
          yield `got ${different} different answers`;
        }
      },
    ),
};
