import { DEFAULT_CALLER } from "../idempotency/execution/call.js";
import { type Address, type Config, formatAddress, isLoopback } from "./config.js";

export type AccessConfig = Pick<
  Config,
  "tlsCertFile" | "tlsClientCaFile" | "authTokensFile" | "insecureOperator"
>;

/** Describes who may do what, for the operator who starts the service: in one line, or two where that is a risk. */
export function accessLines(
  config: AccessConfig,
  listening: readonly Address[],
): readonly [string, ...string[]] {
  const open = listening.filter(({ host }) => !isLoopback(host)).map(formatAddress);
  const credentials = acceptedCredentials(config);
  const isEncrypted = config.tlsCertFile !== undefined;
  if (credentials.length > 0) {
    const who = `callers with ${credentials.join(" or ")}, each its own tenant`;
    return open.length > 0 && !isEncrypted
      ? [who, `--insecure: whoever is on the way to ${open.join(" or ")} can read the tokens`]
      : [who];
  }
  const may = `may charge, capture, cancel, refund and read all payments of the tenant ${DEFAULT_CALLER.tenant}`;
  if (open.length === 0) {
    const operators = config.insecureOperator
      ? "and inspect and end its keys (--insecure-operator)"
      : "nobody is an operator";
    return [`anybody on this machine ${may}${config.insecureOperator ? " " : "; "}${operators}`];
  }
  return [
    `--insecure: anybody who reaches ${open.join(" or ")} ${may}`,
    `nobody may inspect or end keys${isEncrypted ? "" : "; all that is sent can be read on its way"}`,
  ];
}

function acceptedCredentials({
  authTokensFile,
  tlsClientCaFile,
}: Pick<Config, "authTokensFile" | "tlsClientCaFile">): readonly string[] {
  return [
    ...(authTokensFile === undefined ? [] : ["a bearer token"]),
    ...(tlsClientCaFile === undefined ? [] : ["a client certificate"]),
  ];
}
