import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { request as httpsRequest } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { credentials } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PaymentStatus } from "../../../src/gen/payonce/payments/v1/payments_pb.js";
import { Code } from "../../../src/idempotency/answers/code.js";
import { paymentIdOfKey } from "../../../src/payments/operation.js";
import { certificateWarnings } from "../../../src/server/tls.js";
import { tokenHash } from "../../../src/server/tokens.js";
import {
  isReplayed,
  openPayments,
  type PaymentsClient,
  type PaymentsClientOptions,
  paymentOf,
  refusalOf,
} from "../../support/payments/payments-client.js";
import { type Cluster, startCluster } from "../../support/service/cluster.js";
import { payonce } from "../../support/service/command-line.js";
import { type ServiceProcess, startServiceProcess } from "../../support/service/service-process.js";
import { type Certificate, type CertificateAuthority, createAuthority } from "./certificates.js";

const CREATE_PAYMENT = "payonce.payments.v1.PaymentService/CreatePayment";
const { CAPTURED } = PaymentStatus;
const NOT_EXECUTED = { case: "notExecuted", value: {} } as const;

let directory: string;
let cluster: Cluster;
let authority: CertificateAuthority;
const clients: PaymentsClient[] = [];

/** What makes a service ask for TLS and tokens. */
let environment: Readonly<Record<string, string>>;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "payonce-test-identity-"));
  authority = await createAuthority(directory, "authority");
  const { certFile, keyFile } = await authority.issue("server");
  const tokensFile = join(directory, "tokens.json");
  const tokens = [
    { sha256: tokenHash("of-acme"), tenant: "acme", role: "caller" },
    { sha256: tokenHash("of-globex"), tenant: "globex", role: "caller" },
    { sha256: tokenHash("of-an-operator"), tenant: "acme", role: "operator" },
    { sha256: tokenHash("of-a-global-operator"), tenant: "acme", role: "global_operator" },
  ];
  await writeFile(tokensFile, JSON.stringify(tokens));
  environment = {
    TLS_CERT_FILE: certFile,
    TLS_KEY_FILE: keyFile,
    AUTH_TOKENS_FILE: tokensFile,
  };
  cluster = await startCluster({ services: 0 });
});

afterAll(async () => {
  for (const client of clients) {
    client.close();
  }
  await cluster?.stop();
  await rm(directory, { recursive: true, force: true });
});

function open({ grpcAddress }: ServiceProcess, options: PaymentsClientOptions): PaymentsClient {
  const client = openPayments(grpcAddress, options);
  clients.push(client);
  return client;
}

const unauthenticated = {
  code: Code.UNAUTHENTICATED,
  domain: "payonce",
  reason: "CALLER_UNAUTHENTICATED",
  next: "fix_request",
  pushback: "-1",
};

describe("TLS with bearer tokens", () => {
  let service: ServiceProcess;

  beforeAll(async () => {
    service = await cluster.addService(environment);
  });

  const as = (token?: string) =>
    open(service, {
      credentials: credentials.createSsl(authority.cert),
      ...(token === undefined ? {} : { token }),
    });

  it("the same key of two tenants makes two payments, and neither sees the other's", async () => {
    const acme = as("of-acme");
    const globex = as("of-globex");
    const ids: string[] = [];
    for (const tenant of [acme, globex]) {
      const result = await tenant.createPayment(paymentOf("tok_visa"), "shared");
      expect(isReplayed(result)).toBe(false);
      expect(result.response?.payment?.status).toBe(CAPTURED);
      ids.push(result.response?.payment?.id ?? "");
    }
    expect(ids).toEqual([paymentIdOfKey("acme", "shared"), paymentIdOfKey("globex", "shared")]);
    const value = ids[0] ?? "";
    const stolen = await globex.getPayment({ lookup: { case: "paymentId", value } });
    expect(refusalOf(stolen)).toMatchObject({ reason: "PAYMENT_NOT_FOUND" });
    const { response } = await globex.listPayments({});
    expect(response?.payments.map(({ id }) => id)).toEqual([ids[1]]);
  });

  it("only an operator may inspect", async () => {
    await as("of-acme").createPayment(paymentOf("tok_visa"), "inspected");
    const name = { operation: CREATE_PAYMENT, idempotencyKey: "inspected" };
    expect(refusalOf(await as("of-acme").getRecord({ name }))).toMatchObject({
      code: Code.PERMISSION_DENIED,
      reason: "OPERATOR_REQUIRED",
    });
    const seen = await as("of-an-operator").getRecord({ name });
    expect(seen.response?.record).toMatchObject({ tenant: "acme", idempotencyKey: "inspected" });
  });

  describe("the keys of another tenant", () => {
    const reads = (token: string, idempotencyKey: string) => {
      const client = as(token);
      const name = { tenant: "globex", operation: CREATE_PAYMENT, idempotencyKey };
      return [
        client.getRecord({ name }),
        client.resolveKey({ name, fencingToken: 1n, reason: "Ada", resolution: NOT_EXECUTED }),
        client.listRecords({ tenant: "globex" }),
      ] as const;
    };

    beforeAll(async () => {
      await as("of-globex").createPayment(paymentOf("tok_visa"), "of-globex-only");
    });

    it("are kept from an operator of one, and whether they exist, too", async () => {
      for (const token of ["of-an-operator", "of-acme"]) {
        const [there, notThere] = await Promise.all([
          Promise.all(reads(token, "of-globex-only")),
          Promise.all(reads(token, "no-such-key")),
        ]);
        expect(there.map(({ message }) => message)).toEqual(notThere.map(({ message }) => message));
        for (const result of [...there, ...notThere]) {
          expect(refusalOf(result)).toMatchObject({
            code: Code.PERMISSION_DENIED,
            reason: "OPERATOR_REQUIRED",
          });
        }
      }
      const [refused] = await Promise.all(reads("of-an-operator", "of-globex-only"));
      expect(refused.message).toContain("global_operator");
    });

    it("are open to a global operator", async () => {
      const [got, resolved, listed] = await Promise.all(
        reads("of-a-global-operator", "of-globex-only"),
      );
      expect(got.response?.record).toMatchObject({ tenant: "globex" });
      expect(refusalOf(resolved)).toMatchObject({ reason: "RECORD_CHANGED" }); // it is not held
      const keys = listed.response?.records.map(({ idempotencyKey }) => idempotencyKey);
      expect(keys).toContain("of-globex-only");
      const own = { operation: CREATE_PAYMENT, idempotencyKey: "inspected" };
      const seen = await as("of-a-global-operator").getRecord({ name: own });
      expect(seen.response?.record).toMatchObject({ tenant: "acme" });
    });

    it("are shown by payonce inspect to a global operator alone", async () => {
      const inspect = (token: string) =>
        payonce([
          ...["inspect", "--tenant", "globex", "--target", service.grpcAddress],
          ...["--token", token, "--tls-ca-file", authority.certFile],
        ]);
      const refused = await inspect("of-an-operator");
      expect(refused).toMatchObject({
        code: 1,
        stderr: expect.stringContaining("global_operator"),
      });
      expect((await inspect("of-a-global-operator")).stdout).toContain("of-globex-only");
    });
  });

  it.each([
    { what: "no token", token: undefined },
    { what: "an unknown token", token: "of-nobody" },
  ])("$what: refused, and the key is not burned", async ({ what, token }) => {
    const key = what.replaceAll(" ", "-");
    const refused = await as(token).createPayment(paymentOf("tok_declined"), key);
    expect(refusalOf(refused)).toMatchObject(unauthenticated);
    const meant = await as("of-acme").createPayment(paymentOf("tok_visa"), key);
    expect(meant.response?.payment?.status).toBe(CAPTURED);
  });

  it("a caller without TLS gets no answer", async () => {
    const plain = open(service, { token: "of-acme" });
    const result = await plain.createPayment(paymentOf("tok_visa"), "plain");
    expect(result.code).toBe(Code.UNAVAILABLE);
  });

  it("over HTTPS a token is asked for too, and names the same tenant", async () => {
    expect((await postJson(service, "https")).status).toBe(401);
    const first = await postJson(service, "https", { token: "of-acme" });
    expect(first).toMatchObject({ status: 200, replayed: undefined });
    const replay = await as("of-acme").createPayment(paymentOf("tok_visa"), "https");
    expect(isReplayed(replay)).toBe(true);
  });
});

describe("the server's certificate", () => {
  const DAY_MS = 86_400_000;

  it("is warned of where it is not valid, or soon will not be", async () => {
    const certificate = await authority.issue("server", { days: 30 });
    const warningsIn = (days: number) =>
      certificateWarnings(certificate, Date.now() + days * DAY_MS);
    expect(warningsIn(0)).toEqual([]);
    expect(warningsIn(15)).toEqual([]);
    expect(warningsIn(20)).toEqual([
      expect.stringMatching(/^TLS_CERT_FILE: the certificate expires on .*, in 9 days$/),
    ]);
    expect(warningsIn(31)).toEqual([
      expect.stringMatching(/^TLS_CERT_FILE: the certificate expired on /),
    ]);
    expect(warningsIn(-1)).toEqual([
      expect.stringMatching(/^TLS_CERT_FILE: the certificate is not valid before /),
    ]);
  });

  it("is warned of at the start", async () => {
    const service = await cluster.addService(environment); // its own lasts 2 days
    expect(service.output()).toMatch(/"TLS_CERT_FILE: the certificate expires on .*, in 1 days"/);
  });
});

describe("mutual TLS", () => {
  let service: ServiceProcess;
  let acme: Certificate;

  beforeAll(async () => {
    acme = await authority.issue("acme");
    service = await cluster.addService({ ...environment, TLS_CLIENT_CA_FILE: authority.certFile });
  });

  const as = ({ key, cert }: Certificate, token?: string) =>
    open(service, {
      credentials: credentials.createSsl(authority.cert, key, cert),
      ...(token === undefined ? {} : { token }),
    });

  it("the certificate's common name is the tenant, over gRPC and HTTPS", async () => {
    const { response } = await as(acme).createPayment(paymentOf("tok_visa"), "mutual");
    expect(response?.payment?.id).toBe(paymentIdOfKey("acme", "mutual"));
    expect(await postJson(service, "mutual", { certificate: acme })).toMatchObject({
      status: 200,
      replayed: "true",
    });
  });

  it("a token of another tenant beside the certificate is refused", async () => {
    const both = await as(acme, "of-globex").createPayment(paymentOf("tok_visa"), "both");
    expect(refusalOf(both)).toMatchObject({
      code: Code.PERMISSION_DENIED,
      reason: "IDENTITY_CONFLICT",
    });
  });

  it("a common name that is no tenant is refused", async () => {
    const stranger = await authority.issue("Acme Ltd");
    const result = await as(stranger).createPayment(paymentOf("tok_visa"), "stranger");
    expect(refusalOf(result)).toMatchObject(unauthenticated);
  });

  it("a token alone is enough, over gRPC and HTTPS; neither is refused", async () => {
    const withoutCertificate = (token?: string) =>
      open(service, {
        credentials: credentials.createSsl(authority.cert),
        ...(token === undefined ? {} : { token }),
      });
    const { response } = await withoutCertificate("of-globex").createPayment(
      paymentOf("tok_visa"),
      "token-alone",
    );
    expect(response?.payment?.id).toBe(paymentIdOfKey("globex", "token-alone"));
    expect(await postJson(service, "token-alone", { token: "of-globex" })).toMatchObject({
      status: 200,
      replayed: "true",
    });
    const refused = await withoutCertificate().createPayment(paymentOf("tok_visa"), "neither");
    expect(refusalOf(refused)).toMatchObject(unauthenticated);
    expect((await postJson(service, "neither")).status).toBe(401);
  });

  it("a certificate of another authority gets no connection, whatever token comes with it", async () => {
    const forger = await mkdtemp(join(directory, "forger-"));
    const forged = await (await createAuthority(forger, "forger")).issue("acme");
    for (const client of [as(forged), as(forged, "of-acme")]) {
      const { code } = await client.createPayment(paymentOf("tok_visa"), "forged");
      expect(code).toBe(Code.UNAVAILABLE);
    }
    for (const identity of [{ certificate: forged }, { certificate: forged, token: "of-acme" }]) {
      await expect(postJson(service, "forged", identity)).rejects.toThrow();
    }
  });

  it("an organizational unit of the certificate is the role, without any token", async () => {
    const name = { operation: CREATE_PAYMENT, idempotencyKey: "of-a-unit" };
    await as(acme).createPayment(paymentOf("tok_visa"), name.idempotencyKey);
    const department = await authority.issue("acme", { unit: "Payments" });
    for (const caller of [acme, department]) {
      expect(refusalOf(await as(caller).getRecord({ name }))).toMatchObject({
        reason: "OPERATOR_REQUIRED",
      });
    }
    const operator = await authority.issue("acme", { unit: "operator" });
    const seen = await as(operator).getRecord({ name });
    expect(seen.response?.record).toMatchObject({ tenant: "acme" });
    const ofGlobex = await as(operator).listRecords({ tenant: "globex" });
    expect(refusalOf(ofGlobex)).toMatchObject({ reason: "OPERATOR_REQUIRED" });
    const { stdout } = await payonce([
      ...["inspect", "--key", name.idempotencyKey, "--target", service.grpcAddress],
      ...["--tls-ca-file", authority.certFile],
      ...["--tls-cert-file", operator.certFile, "--tls-key-file", operator.keyFile],
    ]);
    expect(stdout).toMatch(/^state +completed$/m);
    const global = await authority.issue("acme", { unit: "global_operator" });
    expect((await as(global).listRecords({ tenant: "globex" })).code).toBe(Code.OK);
  });

  it("without tokens nobody connects who has no certificate", async () => {
    const { AUTH_TOKENS_FILE: _, ...withoutTokens } = environment;
    const strict = await cluster.addService({
      ...withoutTokens,
      TLS_CLIENT_CA_FILE: authority.certFile,
    });
    const stranger = open(strict, { credentials: credentials.createSsl(authority.cert) });
    const { code } = await stranger.createPayment(paymentOf("tok_visa"), "no-certificate");
    expect(code).toBe(Code.UNAVAILABLE);
    await expect(postJson(strict, "no-certificate")).rejects.toThrow();
    expect((await postJson(strict, "certificate", { certificate: acme })).status).toBe(200);
  });

  it("a file of authorities that is missing or holds something else stops the start", async () => {
    const missing = join(directory, "missing");
    for (const file of [missing, join(directory, "tokens.json")]) {
      const { code, stderr } = await payonce(["serve"], {
        ...environment,
        TLS_CLIENT_CA_FILE: file,
        DATABASE_URL: cluster.database.url,
        PROCESSOR_URL: "instant:",
        LOG_LEVEL: "error",
      });
      expect(stderr).toMatch(/^TLS_CLIENT_CA_FILE: .*\n$/);
      expect(code).toBe(1);
    }
  });
});

describe("without authentication", () => {
  it("nobody is an operator unless the flag says so, and the refusal names it", async () => {
    const service = await startServiceProcess({
      env: { DATABASE_URL: cluster.database.url, PROCESSOR_URL: "instant:", LOG_LEVEL: "error" },
      args: [],
    });
    const anybody = open(service, {});
    const { response } = await anybody.createPayment(paymentOf("tok_visa"), "of-no-operator");
    expect(response?.payment?.status).toBe(CAPTURED);
    const name = { operation: CREATE_PAYMENT, idempotencyKey: "of-no-operator" };
    for (const result of [
      await anybody.getRecord({ name }),
      await anybody.listRecords({}),
      await anybody.resolveKey({ name, fencingToken: 1n, reason: "Ada", resolution: NOT_EXECUTED }),
    ]) {
      expect(refusalOf(result)).toMatchObject({
        code: Code.PERMISSION_DENIED,
        reason: "OPERATOR_REQUIRED",
      });
      expect(result.message).toContain("--insecure-operator");
    }
    await service.stop();
  });

  it("but with --insecure-operator anybody may inspect the keys of its tenant, which is default, and no other's", async () => {
    const anybody = open(await cluster.addService(), {});
    await anybody.createPayment(paymentOf("tok_visa"), "of-anybody");
    const name = { operation: CREATE_PAYMENT, idempotencyKey: "of-anybody" };
    const seen = await anybody.getRecord({ name });
    expect(seen.response?.record).toMatchObject({ tenant: "default" });
    for (const result of [
      await anybody.getRecord({ name: { ...name, tenant: "acme" } }),
      await anybody.listRecords({ tenant: "acme" }),
    ]) {
      expect(refusalOf(result)).toMatchObject({
        code: Code.PERMISSION_DENIED,
        reason: "OPERATOR_REQUIRED",
      });
    }
  });
});

interface Identity {
  readonly token?: string;
  readonly certificate?: Certificate;
}

/** Creates a payment over HTTPS with JSON. */
function postJson({ httpAddress }: ServiceProcess, key: string, identity: Identity = {}) {
  const { token, certificate } = identity;
  return new Promise<{ status: number | undefined; replayed: unknown }>((resolve, reject) => {
    const request = httpsRequest(`https://${httpAddress}/${CREATE_PAYMENT}`, {
      method: "POST",
      ca: authority.cert,
      ...(certificate === undefined ? {} : { cert: certificate.cert, key: certificate.key }),
      headers: {
        "content-type": "application/json",
        "idempotency-key": key,
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      agent: false, // one connection each: identities must not share one
    });
    request.on("error", reject);
    request.on("response", (response) => {
      response.resume();
      resolve({ status: response.statusCode, replayed: response.headers["idempotency-replayed"] });
    });
    const amount = { currencyCode: "EUR", minorUnits: "1999" };
    request.end(JSON.stringify({ amount, paymentMethod: "tok_visa" }));
  });
}
