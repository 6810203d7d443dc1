import { type Address, type Config, formatAddress } from "./config.js";

/** Only the operator knows what may be charged where money moves; the quotes let the shell put it in. */
const requestOf = (isReal: boolean) =>
  `{"amount": {"currency_code": "EUR", "minor_units": "1999"}, "payment_method": "${isReal ? `'"$PAYMENT_METHOD"'` : "tok_visa"}"}`;

/** The addresses that stand for every address of this machine, each with one that a client can call. */
const WILDCARDS: ReadonlyMap<string, string> = new Map([
  ["0.0.0.0", "127.0.0.1"],
  ["::", "::1"],
]);

/**
 * A payment for the terminal, with what the service asks of its callers. What
 * only the operator knows stands as a variable of the shell, to be set before.
 */
export function firstCall(
  config: Pick<Config, "tlsCertFile" | "tlsClientCaFile" | "authTokensFile" | "processorUrl">,
  { host, port }: Address,
): string {
  const address = formatAddress({ host: WILDCARDS.get(host) ?? host, port });
  const { tlsCertFile, tlsClientCaFile, authTokensFile, processorUrl } = config;
  const hasToken = authTokensFile !== undefined;
  // Either is enough, and a token is the easier one to paste.
  const hasCertificate = tlsClientCaFile !== undefined && !hasToken;
  return [
    "grpcurl",
    tlsCertFile === undefined ? "-plaintext" : '-cacert "$CA_FILE"',
    ...(hasCertificate ? ['-cert "$CLIENT_CERT_FILE" -key "$CLIENT_KEY_FILE"'] : []),
    "-v",
    ...(hasToken ? ['-H "authorization: Bearer $TOKEN"'] : []),
    `-H 'idempotency-key: order-1' -d '${requestOf(processorUrl?.kind === "stripe")}'`,
    `${address} payonce.payments.v1.PaymentService/CreatePayment`,
  ].join(" ");
}

/** The variables in such a line, with what to set them to. */
export function variablesOf(line: string): readonly string[] {
  return [...VARIABLES]
    .filter(([name]) => line.includes(`$${name}`))
    .map(([name, meaning]) => `${name}: ${meaning}`);
}

const VARIABLES: ReadonlyMap<string, string> = new Map([
  ["CA_FILE", "who signed TLS_CERT_FILE, or that file itself where it is signed by itself"],
  ["CLIENT_CERT_FILE", "a certificate that TLS_CLIENT_CA_FILE has signed"],
  ["CLIENT_KEY_FILE", "its key"],
  ["PAYMENT_METHOD", "what is charged at Stripe: pm_card_visa with a key for tests"],
  ["TOKEN", "one of those whose hashes AUTH_TOKENS_FILE has"],
]);
