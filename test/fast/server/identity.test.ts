import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { Code } from "../../../src/idempotency/answers/code.js";
import { CallError } from "../../../src/idempotency/answers/errors.js";
import { type Caller, DEFAULT_CALLER, type Role } from "../../../src/idempotency/execution/call.js";
import {
  type AuthenticatorOptions,
  type Credentials,
  certificateOf,
  createAuthenticator,
  operatedTenant,
  requireOperator,
} from "../../../src/server/identity.js";
import { parseTokens, TokensError } from "../../../src/server/tokens.js";

function sha256(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}

const entries = [
  { sha256: sha256("token-of-acme"), tenant: "acme", role: "caller" },
  { sha256: sha256("next-token-of-acme").toUpperCase(), tenant: "acme", role: "operator" },
  { sha256: sha256("token/of+globex=="), tenant: "globex_2-eu", role: "caller" },
  { sha256: sha256("token-of-all"), tenant: "acme", role: "global_operator" },
];
const tokens = parseTokens(JSON.stringify(entries));

/** What is found out: the caller, or the error. */
function authenticatorOf(options: AuthenticatorOptions) {
  const authenticate = createAuthenticator(options);
  return (credentials: Credentials) => {
    const found = authenticate(credentials);
    return found.kind === "caller" ? found.caller : found.error;
  };
}

const unauthenticated = { code: Code.UNAUTHENTICATED, reason: "CALLER_UNAUTHENTICATED" };

describe("bearer tokens", () => {
  const authenticate = authenticatorOf({ tokens, clientCertificates: "ignored" });

  it.each([
    ["Bearer token-of-acme", { tenant: "acme", role: "caller" }],
    ["bearer next-token-of-acme", { tenant: "acme", role: "operator" }],
    ["Bearer  token/of+globex==", { tenant: "globex_2-eu", role: "caller" }],
    ["Bearer token-of-all", { tenant: "acme", role: "global_operator" }],
  ])("%s", (authorization, caller) => {
    const token = authorization.split(" ").at(-1) ?? "";
    const identity = `token ${sha256(token).slice(0, 12)}`;
    expect(authenticate({ authorization })).toEqual({ ...caller, identity });
  });

  it.each([
    undefined,
    "",
    "Bearer",
    "Bearer ",
    "token-of-acme",
    "Basic token-of-acme",
    "Bearer token-of-acmE",
    "Bearer token-of-acme, Bearer token-of-acme",
    `Bearer ${sha256("token-of-acme")}`,
  ])("%j is refused", (authorization) => {
    expect(authenticate({ authorization })).toMatchObject(unauthenticated);
  });

  it("are needed also of a caller with a certificate, where those are ignored", () => {
    expect(authenticate({ certificate: { commonName: "acme", units: [] } })).toMatchObject(
      unauthenticated,
    );
  });

  it("never come back in a refusal", () => {
    expect(JSON.stringify(authenticate({ authorization: "Bearer hunter2" }))).not.toContain(
      "hunter2",
    );
  });
});

describe("client certificates", () => {
  const authenticate = authenticatorOf({ clientCertificates: "trusted" });

  it("name the tenant by their common name, as a caller", () => {
    expect(authenticate({ certificate: { commonName: "acme", units: [] } })).toEqual({
      tenant: "acme",
      role: "caller",
      identity: "certificate acme",
    });
  });

  it.each(["", "Acme", "acme corp", "acme\n", "a".repeat(65)])(
    "a common name that is no tenant is refused: %j",
    (commonName) => {
      expect(authenticate({ certificate: { commonName, units: [] } })).toMatchObject(
        unauthenticated,
      );
    },
  );

  it.each<[readonly string[], Role]>([
    [["operator"], "operator"],
    [["global_operator"], "global_operator"],
    [["caller"], "caller"],
    [["Payments", "operator"], "operator"],
    [["Payments"], "caller"],
    [["Operator"], "caller"],
    [["operator", "global_operator"], "caller"],
  ])("name the role by an organizational unit: %j", (units, role) => {
    expect(authenticate({ certificate: { commonName: "acme", units } })).toEqual({
      tenant: "acme",
      role,
      identity: "certificate acme",
    });
  });

  it.each([
    [{ CN: "acme" }, { commonName: "acme", units: [] }],
    [
      { CN: "acme", OU: "operator" },
      { commonName: "acme", units: ["operator"] },
    ],
    [
      { CN: "acme", OU: ["a", "operator"] },
      { commonName: "acme", units: ["a", "operator"] },
    ],
    [{ CN: ["acme", "globex"] }, undefined],
    [{ OU: "operator" }, undefined],
  ])("are read from a subject: %j", (subject, certificate) => {
    // As Node gives it, whose types know no attribute that is there twice.
    expect(certificateOf({ subject } as unknown as Parameters<typeof certificateOf>[0])).toEqual(
      certificate,
    );
    expect(certificateOf({})).toBeUndefined();
    expect(certificateOf(null)).toBeUndefined();
  });

  it("are required, whatever the header says", () => {
    expect(authenticate({ authorization: "Bearer token-of-acme" })).toMatchObject({
      ...unauthenticated,
      message: "this service accepts only callers with a client certificate",
    });
  });
});

describe("tokens and certificates together", () => {
  const authenticate = authenticatorOf({ tokens, clientCertificates: "trusted" });
  const certificate = { commonName: "acme", units: [] };

  it("either is enough", () => {
    expect(authenticate({ certificate })).toMatchObject({ tenant: "acme", role: "caller" });
    expect(authenticate({ authorization: "Bearer token/of+globex==" })).toMatchObject({
      tenant: "globex_2-eu",
    });
    expect(authenticate({})).toMatchObject(unauthenticated);
  });

  it("of one tenant: the token decides the role", () => {
    const authorization = "Bearer next-token-of-acme";
    expect(authenticate({ authorization, certificate })).toMatchObject({
      tenant: "acme",
      role: "operator",
    });
  });

  it("of different tenants are refused", () => {
    const authorization = "Bearer token/of+globex==";
    expect(authenticate({ authorization, certificate })).toMatchObject({
      code: Code.PERMISSION_DENIED,
      reason: "IDENTITY_CONFLICT",
    });
  });

  it("a wrong one is refused beside a right one", () => {
    expect(authenticate({ authorization: "Bearer unknown", certificate })).toMatchObject(
      unauthenticated,
    );
    expect(
      authenticate({
        authorization: "Bearer token-of-acme",
        certificate: { commonName: "No Tenant", units: [] },
      }),
    ).toMatchObject(unauthenticated);
  });
});

describe("without any authentication", () => {
  it("everybody is no operator, unless the service says otherwise", () => {
    expect(authenticatorOf({ clientCertificates: "ignored" })({})).toEqual({
      tenant: "default",
      role: "caller",
    });
    const anybody = { tenant: "default", role: "operator" } as const;
    expect(authenticatorOf({ clientCertificates: "ignored", anybody })({})).toEqual(anybody);
    expect(authenticatorOf({ tokens, clientCertificates: "ignored", anybody })({})).toMatchObject(
      unauthenticated,
    );
  });

  it("everybody is known by where they call from", () => {
    const authenticate = authenticatorOf({ clientCertificates: "ignored" });
    const peer = "192.0.2.1:4711";
    expect(authenticate({ peer })).toEqual({ ...DEFAULT_CALLER, peer });
  });

  it("everybody is the default caller", () => {
    const authenticate = authenticatorOf({ clientCertificates: "ignored" });
    expect(authenticate({})).toEqual(DEFAULT_CALLER);
    expect(
      authenticate({ authorization: "Basic x", certificate: { commonName: "acme", units: [] } }),
    ).toEqual(DEFAULT_CALLER);
  });
});

describe("requireOperator", () => {
  it("lets operators pass", () => {
    expect(() => requireOperator({ tenant: "acme", role: "operator" })).not.toThrow();
  });

  it("refuses callers", () => {
    const attempt = () => requireOperator({ tenant: "acme", role: "caller" });
    expect(attempt).toThrow(CallError);
    expect(attempt).toThrow(
      expect.objectContaining({
        description: expect.objectContaining({
          code: Code.PERMISSION_DENIED,
          reason: "OPERATOR_REQUIRED",
        }),
      }),
    );
  });
});

describe("the tenant whose keys are asked for", () => {
  const acme = (role: Role): Caller => ({ tenant: "acme", role });

  it("is the operator's own where it names none, or its own", () => {
    for (const role of ["operator", "global_operator"] as const) {
      expect(operatedTenant(acme(role), "")).toBe("acme");
      expect(operatedTenant(acme(role), "acme")).toBe("acme");
    }
  });

  it("may be another only for a global operator", () => {
    expect(operatedTenant(acme("global_operator"), "globex")).toBe("globex");
    expect(() => operatedTenant(acme("operator"), "globex")).toThrow("global_operator");
    expect(() => operatedTenant(acme("caller"), "acme")).toThrow("only an operator");
  });
});

describe("a tokens file", () => {
  const [first, second] = entries;

  function problems(text: string): readonly string[] {
    try {
      parseTokens(text);
    } catch (error) {
      if (error instanceof TokensError) {
        return error.problems;
      }
      throw error;
    }
    return [];
  }

  it.each(["", "{}", "[]", "null", "[", '"token"', "token-of-acme"])(
    "%j is refused, and never repeated",
    (text) => {
      expect(problems(text)).toEqual([
        "the tokens file accepts a JSON array of at least one entry",
      ]);
    },
  );

  it.each([
    ["no object", "token-of-acme", "accepts an object with sha256, tenant and role"],
    ["null", null, "accepts an object with sha256, tenant and role"],
    ["a list", [], "accepts an object with sha256, tenant and role"],
    [
      "a token instead of its hash",
      { ...second, sha256: "token-of-acme" },
      '"sha256" accepts the SHA-256 of a token, 64 hex digits',
    ],
    [
      "no hash",
      { tenant: "acme", role: "caller" },
      '"sha256" accepts the SHA-256 of a token, 64 hex digits',
    ],
    [
      "a tenant in capitals",
      { ...second, tenant: "ACME" },
      '"tenant" accepts 1 to 64 characters of a-z, 0-9, - and _',
    ],
    [
      "a tenant that is too long",
      { ...second, tenant: "a".repeat(65) },
      '"tenant" accepts 1 to 64 characters of a-z, 0-9, - and _',
    ],
    [
      "another role",
      { ...second, role: "admin" },
      '"role" accepts "caller", "operator" or "global_operator"',
    ],
    [
      "a property too many",
      { ...second, token: "x" },
      "accepts no more than sha256, tenant and role",
    ],
    [
      "a hash that is there already, in other letters",
      { ...second, sha256: first?.sha256.toUpperCase() },
      '"sha256" accepts no hash that an earlier entry has',
    ],
  ])("an entry with %s is refused", (_, entry, problem) => {
    expect(problems(JSON.stringify([first, entry]))).toEqual([`entry 1: ${problem}`]);
  });

  it("names every entry that is wrong", () => {
    expect(problems(JSON.stringify([1, first, 2]))).toEqual([
      expect.stringMatching(/^entry 0: /),
      expect.stringMatching(/^entry 2: /),
    ]);
  });
});
