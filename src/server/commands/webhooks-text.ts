import type { WebhookLetter } from "../../payments/postgres/webhook-letters.js";

/** The letters for people: one line each. */
export function lettersText(letters: readonly WebhookLetter[], limit: number): string {
  if (letters.length === 0) {
    return "nothing is undelivered";
  }
  const lines = letters.map((letter) =>
    [
      letter.state.padEnd(7),
      letter.time,
      `tenant ${letter.tenant}`,
      `endpoint ${letter.endpoint} (${letter.origin})`,
      `event ${letter.event}`,
      `payment ${letter.payment}`,
      `failures ${letter.failures}${letter.lastFailure === "" ? "" : `: ${letter.lastFailure}`}`,
    ].join("  "),
  );
  const isCut = letters.length === limit;
  return [...lines, ...(isCut ? [`at most ${limit} are shown: --limit`] : [])].join("\n");
}
