import { describe, expect, it } from "vitest";
import { readConfig } from "../../../src/server/config.js";
import { createHostCheck } from "../../../src/server/http-hosts.js";

const tls = { TLS_CERT_FILE: "cert.pem", TLS_KEY_FILE: "key.pem" };
const tokens = { ...tls, AUTH_TOKENS_FILE: "tokens.json" };
const certificates = { ...tls, TLS_CLIENT_CA_FILE: "ca.pem" };

function check(env: Record<string, string> = {}) {
  return createHostCheck(readConfig({ env, flags: { insecure: true } }));
}

describe("Host, where nobody is authenticated", () => {
  it.each([
    "localhost:8080",
    "LOCALHOST",
    "127.0.0.1:8080",
    "[::1]:8080",
    // No name, so nobody can have pointed it here.
    "10.1.2.3:8080",
    "[fe80::1]:8080",
  ])("%s is answered to", (host) => {
    expect(check()({ host })).toBeUndefined();
  });

  it.each([
    "evil.example",
    "evil.example:8080",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "",
    "a b",
  ])("%j is refused by a message that names the setting and not the host", (host) => {
    const refusal = check()({ host });
    expect(refusal).toMatch(/ Host .* HTTP_ALLOWED_HOSTS /);
    expect(refusal).not.toContain("evil");
  });

  it("a request without one is refused", () => {
    expect(check()({})).toContain("Host");
  });

  it("is also the host of HTTP_LISTEN, or one of HTTP_ALLOWED_HOSTS", () => {
    const env = { HTTP_LISTEN: "pay.internal:8080", HTTP_ALLOWED_HOSTS: "pay.example,10.0.0.1" };
    for (const host of ["pay.internal:8080", "pay.example", "Pay.Example:443", "localhost"]) {
      expect(check(env)({ host })).toBeUndefined();
    }
    expect(check(env)({ host: "pay.example.evil.example" })).toContain("Host");
  });
});

describe("Host, where callers are authenticated", () => {
  it.each([
    ["tokens", tokens],
    ["client certificates", certificates],
  ])("is any with %s, unless HTTP_ALLOWED_HOSTS says which", (_, env) => {
    expect(check(env)({ host: "balancer.example" })).toBeUndefined();
    const named = check({ ...env, HTTP_ALLOWED_HOSTS: "pay.example" });
    expect(named({ host: "pay.example" })).toBeUndefined();
    expect(named({ host: "balancer.example" })).toContain("Host");
  });
});

describe.each([
  ["nobody is authenticated", {}],
  ["callers have tokens", tokens],
  ["callers have certificates", certificates],
])("Origin, where %s", (_, env) => {
  const host = "127.0.0.1:8080";

  it.each(["http://localhost:3000", "http://127.0.0.1:8080", "https://[::1]"])(
    "%s is answered to",
    (origin) => {
      expect(check(env)({ host, origin })).toBeUndefined();
    },
  );

  it.each(["https://evil.example", "http://10.1.2.3:8080", "null", "", "evil"])(
    "%j is refused",
    (origin) => {
      expect(check(env)({ host, origin })).toMatch(/ Origin .* HTTP_ALLOWED_HOSTS /);
    },
  );

  it("is one of HTTP_ALLOWED_HOSTS, or the very host that was called", () => {
    const named = check({ ...env, HTTP_ALLOWED_HOSTS: "shop.example" });
    expect(named({ host, origin: "https://shop.example" })).toBeUndefined();
    const own = { host: "10.1.2.3:8080", origin: "http://10.1.2.3:8080" };
    expect(check(env)(own)).toBeUndefined();
    expect(check(env)({ ...own, origin: "http://10.1.2.3:9090" })).toContain("Origin");
  });
});
