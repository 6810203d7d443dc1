import { Code } from "../../idempotency/code.js";
import { parseAddress } from "../config/address.js";
import { createProgressBar } from "../storm/progress.js";
import { type StormReport, storm as sendStorm } from "../storm/storm.js";
import { serviceCredentials, tlsFlags } from "./client.js";
import {
  addressFlag,
  type Command,
  type Flags,
  numberFlag,
  textFlag,
  UsageError,
} from "./command.js";

const DEFAULT_TARGET = "127.0.0.1:50051";
const DEFAULT_PROCESSOR = "127.0.0.1:50061";

export const storm: Command = {
  summary: "sends many concurrent duplicates and counts what the processor did",
  help: () => `  --target          services to spread the calls over, host:port with commas between them
                    (default: ${DEFAULT_TARGET})
  --processor       the sandbox processor whose journal is read (default: ${DEFAULT_PROCESSOR})
  --calls           how many calls at once (default: 1000)
  --keys            over how many keys (default: 10)
  --payment-method  a token of the sandbox processor (default: tok_visa)
  --token           a bearer token, where the service wants one
  --tls-ca-file     who signed the services' certificate (PEM); without it TLS is not used
  --tls-cert-file, --tls-key-file
                    a client certificate and its key (PEM), where the services want one
  --timeout-seconds how long callers keep retrying (default: 120)

Exits with 1 unless every key had exactly one effect and every caller got its key's answer.`,
  options: {
    target: { type: "string" },
    processor: { type: "string" },
    calls: { type: "string" },
    keys: { type: "string" },
    "payment-method": { type: "string" },
    token: { type: "string" },
    ...tlsFlags,
    "timeout-seconds": { type: "string" },
  },
  async run(flags) {
    const calls = numberFlag(flags, "calls", { otherwise: 1_000, min: 1, max: 100_000 });
    const keys = numberFlag(flags, "keys", { otherwise: Math.min(10, calls), min: 1, max: calls });
    const { token } = flags;
    const report = await sendStorm({
      targets: targetsOf(flags),
      credentials: await serviceCredentials(flags),
      processor: addressFlag(flags, "processor", DEFAULT_PROCESSOR),
      calls,
      keys,
      paymentMethod: textFlag(flags, "payment-method", "tok_visa"),
      ...(typeof token === "string" ? { token } : {}),
      timeoutMs:
        1_000 * numberFlag(flags, "timeout-seconds", { otherwise: 120, min: 1, max: 86_400 }),
      onProgress: createProgressBar(process.stderr),
    });
    console.log(reportText(report));
    return report.problems.length === 0 ? 0 : 1;
  },
};

function targetsOf(flags: Flags): readonly string[] {
  const targets = textFlag(flags, "target", DEFAULT_TARGET).split(",");
  if (!targets.every((target) => parseAddress(target) !== undefined)) {
    throw new UsageError("--target accepts host:port, several with commas between them");
  }
  return targets;
}

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
