import { Code } from "../../idempotency/answers/code.js";
import { optional, withDefault } from "../config/flags.js";
import { anyText, count, serverAddress, serverAddresses } from "../config/schemas.js";
import type { StormReport } from "../storm/storm.js";
import { serviceCredentials, tlsFlags } from "./client.js";
import { command, UsageError } from "./command.js";

const PROCESSOR = "127.0.0.1:50061";
const MOST_CALLS = 100_000;
const KEYS = 10;

export const storm = command({
  name: "storm",
  summary: "sends many concurrent duplicates and counts what the processor did",
  flags: {
    target: withDefault("127.0.0.1:50051", {
      meaning: "services to spread the calls over",
      schema: serverAddresses,
    }),
    processor: withDefault(PROCESSOR, {
      meaning: "the sandbox processor whose journal is read",
      schema: serverAddress(PROCESSOR),
    }),
    calls: withDefault("1000", { meaning: "how many calls at once", schema: count(1, MOST_CALLS) }),
    keys: optional(`${KEYS}, at most one for each call`, {
      meaning: "over how many keys; at most --calls",
      schema: count(1, MOST_CALLS),
    }),
    paymentMethod: withDefault("tok_visa", {
      meaning: "a token of the sandbox processor",
      schema: anyText,
    }),
    token: optional("none", {
      meaning: "a bearer token, where the service wants one",
      schema: anyText,
    }),
    ...tlsFlags,
    timeoutSeconds: withDefault("120", {
      meaning: "how long callers keep retrying",
      schema: count(1, 86_400),
    }),
  },
  notes: `
Exits with 1 unless every key had exactly one effect and every caller got its key's answer.`,
  async run(flags) {
    const { target, processor, calls, paymentMethod, token, timeoutSeconds } = flags;
    const keys = flags.keys ?? Math.min(KEYS, calls);
    if (keys > calls) {
      throw new UsageError(`--keys accepts a whole number from 1 to ${calls}`);
    }
    const credentials = await serviceCredentials(flags);
    const { storm: sendStorm } = await import("../storm/storm.js");
    const { createProgressBar } = await import("../storm/progress.js");
    const report = await sendStorm({
      targets: target,
      credentials,
      processor,
      calls,
      keys,
      paymentMethod,
      ...(token === undefined ? {} : { token }),
      timeoutMs: 1_000 * timeoutSeconds,
      onProgress: createProgressBar(process.stderr),
    });
    console.log(reportText(report));
    return report.problems.length === 0 ? 0 : 1;
  },
});

const codeNames: ReadonlyMap<number, string> = new Map(
  Object.entries(Code).map(([name, code]) => [code, name]),
);

function reportText(report: StormReport): string {
  const codes = [...report.attemptsByCode]
    .sort(([one], [other]) => one - other)
    .map(([code, count]) => `${codeNames.get(code) ?? code} ${count}`);
  const verdict =
    report.problems.length === 0
      ? `exactly once: ${report.effects} effects for ${report.keys} keys`
      : ["NOT exactly once:", ...report.problems].join("\n  ");
  return `calls            ${report.calls} over ${report.keys} keys in ${Math.round(report.durationMs)} ms
attempts         ${report.attempts} (${codes.join(", ")})
first answers    ${report.firstAnswers}, the others are replays
processor calls  ${report.processorCalls}
effects          ${report.effects} in the processor's journal
${verdict}`;
}
