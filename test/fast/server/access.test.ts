import { describe, expect, it } from "vitest";
import { accessLines } from "../../../src/server/access.js";
import { readConfig } from "../../../src/server/config.js";

const LOOPBACK = [
  { host: "127.0.0.1", port: 50051 },
  { host: "::1", port: 8080 },
];
const ANYWHERE = [
  { host: "0.0.0.0", port: 50051 },
  { host: "127.0.0.1", port: 8080 },
];
const tls = { TLS_CERT_FILE: "cert.pem", TLS_KEY_FILE: "key.pem" };
const tokens = { AUTH_TOKENS_FILE: "tokens.json" };

function lines(env: Record<string, string>, addresses = LOOPBACK, flags = {}) {
  return accessLines(readConfig({ env, flags }), addresses);
}

describe("who may do what", () => {
  it("on loopback: anybody on the machine calls, nobody is an operator unless that is said", () => {
    expect(lines({})).toEqual([
      expect.stringMatching(/^anybody on this machine may charge, .*; nobody is an operator$/),
    ]);
    expect(lines({}, LOOPBACK, { insecureOperator: true })).toEqual([
      expect.stringMatching(
        /^anybody on this machine .* and end its keys \(--insecure-operator\)$/,
      ),
    ]);
  });

  it("beyond loopback without authentication: whoever reaches the open address, and without TLS who reads along", () => {
    const [who, more] = lines({}, ANYWHERE, { insecure: true });
    expect(who).toMatch(/^--insecure: anybody who reaches 0\.0\.0\.0:50051 may charge, capture, /);
    expect(who).not.toContain("127.0.0.1");
    expect(more).toMatch(/^nobody may inspect or end keys; .* can be read on its way$/);
    expect(lines(tls, ANYWHERE, { insecure: true })[1]).toBe("nobody may inspect or end keys");
  });

  it("with authentication: whose credentials are accepted, and whether they travel in the clear", () => {
    expect(lines({ ...tls, ...tokens }, ANYWHERE)).toEqual([
      "callers with a bearer token, each its own tenant",
    ]);
    expect(lines({ ...tls, ...tokens, TLS_CLIENT_CA_FILE: "ca.pem" }, ANYWHERE)).toEqual([
      "callers with a bearer token or a client certificate, each its own tenant",
    ]);
    expect(lines(tokens, ANYWHERE, { insecure: true })).toEqual([
      "callers with a bearer token, each its own tenant",
      expect.stringMatching(/^--insecure: .* can read the tokens$/),
    ]);
  });
});
