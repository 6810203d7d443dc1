import { describe, expect, it } from "vitest";
import { readConfig } from "../../../src/server/config.js";
import { firstCall, variablesOf } from "../../../src/server/first-call.js";

const tls = { TLS_CERT_FILE: "cert.pem", TLS_KEY_FILE: "key.pem" };
const tokens = { AUTH_TOKENS_FILE: "tokens.json" };
const clientCa = { TLS_CLIENT_CA_FILE: "ca.pem" };

function call(env: Record<string, string>, host = "127.0.0.1") {
  return firstCall(readConfig({ env }), { host, port: 50051 });
}

describe("the line to paste", () => {
  it("is in clear, and needs nothing, where the service asks for nothing", () => {
    expect(call({})).toMatch(
      /^grpcurl -plaintext -v -H 'idempotency-key: order-1' -d '\{.*\}' 127/,
    );
    expect(variablesOf(call({}))).toEqual([]);
  });

  it("charges at Stripe only what the operator names", () => {
    const line = call({ PROCESSOR_URL: "stripe:", STRIPE_SECRET_KEY: "sk_live_x" });
    expect(line).toContain(`"payment_method": "'"$PAYMENT_METHOD"'"}'`);
    expect(variablesOf(line)).toEqual([expect.stringMatching(/^PAYMENT_METHOD: /)]);
  });

  it.each([
    ["tokens in clear", tokens, ["-plaintext", "Bearer $TOKEN"], ["TOKEN"]],
    ["TLS", tls, ["-cacert"], ["CA_FILE"]],
    ["TLS and tokens", { ...tls, ...tokens }, ["-cacert", "Bearer $TOKEN"], ["CA_FILE", "TOKEN"]],
    [
      "mutual TLS",
      { ...tls, ...clientCa },
      ["-cacert", "-cert", "-key"],
      ["CA_FILE", "CLIENT_CERT_FILE", "CLIENT_KEY_FILE"],
    ],
    [
      "either credential",
      { ...tls, ...tokens, ...clientCa },
      ["-cacert", "Bearer $TOKEN"],
      ["CA_FILE", "TOKEN"],
    ],
  ])("fits %s", (_, env: Record<string, string>, parts, variables) => {
    const line = call(env);
    for (const part of parts) {
      expect(line).toContain(part);
    }
    expect(line.includes("-plaintext")).toBe(!("TLS_CERT_FILE" in env));
    const names = variablesOf(line).map((text) => text.split(":")[0]);
    expect(names).toEqual(variables);
    expect(
      line
        .match(/\$\w+/g)
        ?.map((name) => name.slice(1))
        .sort(),
    ).toEqual([...variables].sort());
  });

  it.each([
    ["0.0.0.0", " 127.0.0.1:50051 "],
    ["::", " [::1]:50051 "],
    ["10.1.2.3", " 10.1.2.3:50051 "],
  ])("calls an address that there is: %s", (host, address) => {
    expect(call({}, host)).toContain(address);
  });
});
