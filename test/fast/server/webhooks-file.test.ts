import { describe, expect, it } from "vitest";
import { PaymentStatus } from "../../../src/gen/payonce/payments/v1/payments_pb.js";
import { parseEndpoints, WebhooksFileError } from "../../../src/server/webhooks-file.js";

const secret = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;
const entry = { tenant: "acme", url: "https://shop.example/hooks", secret };

function parsed(entries: readonly unknown[], allowPrivate = false) {
  return parseEndpoints(JSON.stringify(entries), { allowPrivate });
}

function problemsOf(text: string, allowPrivate = false): readonly string[] {
  try {
    parseEndpoints(text, { allowPrivate });
    return [];
  } catch (error) {
    return error instanceof WebhooksFileError ? error.problems : [String(error)];
  }
}

const problemOf = (change: object, allowPrivate = false) =>
  problemsOf(JSON.stringify([{ ...entry, ...change }]), allowPrivate);

describe("a file of endpoints", () => {
  it("has several for a tenant, each with its own id, secrets and states", () => {
    const two = [secret, `whsec_${Buffer.alloc(24, 8).toString("base64")}`];
    const [first, second] = parsed([
      entry,
      { ...entry, url: "https://shop.example/other", secret: two, statuses: ["CAPTURED"] },
    ]);
    expect(first).toMatchObject({ tenant: "acme", secrets: [secret] });
    expect(first?.statuses).toBeUndefined();
    expect(second?.secrets).toEqual(two);
    expect(second?.statuses).toEqual(new Set([PaymentStatus.CAPTURED]));
    expect(first?.id).toMatch(/^we_[0-9a-f]{16}$/);
    expect(second?.id).not.toBe(first?.id);
  });

  it("gives the same URL of two tenants two ids", () => {
    const [first, second] = parsed([entry, { ...entry, tenant: "other" }]);
    expect(first?.id).not.toBe(second?.id);
  });

  it.each([
    ["", false, "accepts a JSON array of 1 to 1000 endpoints"],
    ["[]", false, "accepts a JSON array of 1 to 1000 endpoints"],
    ["[1]", false, "entry 0: accepts an object with tenant, url, secret and statuses"],
  ])("refuses %j", (text, allowPrivate, problem) => {
    expect(problemsOf(text, allowPrivate)).toEqual([expect.stringContaining(problem)]);
  });

  it.each([
    [{ tenant: "A b" }, '"tenant" accepts 1 to 64 characters'],
    [{ url: "shop.example" }, '"url" accepts an https URL'],
    [{ url: "http://shop.example/" }, '"url" accepts an https URL'],
    [{ url: "http://127.0.0.1/" }, '"url" accepts an https URL'],
    [{ url: "https://10.0.0.1/" }, "WEBHOOKS_ALLOW_PRIVATE=yes"],
    [{ url: "https://ada:hunter2@shop.example/" }, "without user name"],
    [{ url: "https://shop.example/#hunter2" }, "without user name"],
    [{ secret: "hunter2" }, '"secret" accepts whsec_ and the base64 of 24 to 64 bytes'],
    [{ secret: "whsec_hunter2" }, '"secret" accepts'],
    [{ secret: `whsec_${Buffer.alloc(23).toString("base64")}` }, '"secret" accepts'],
    [{ secret: `whsec_${Buffer.alloc(65).toString("base64")}` }, '"secret" accepts'],
    [{ secret: [] }, '"secret" accepts'],
    [{ secret: [secret, secret, secret] }, '"secret" accepts'],
    [{ statuses: [] }, '"statuses" accepts a list of PROCESSING'],
    [{ statuses: ["PAID"] }, '"statuses" accepts a list of PROCESSING'],
    [{ statuses: ["UNSPECIFIED"] }, '"statuses" accepts'],
    [{ color: "hunter2" }, "accepts no more than tenant, url, secret and statuses"],
  ])("refuses %j, names the entry and repeats nothing of it", (change, problem) => {
    const [line, ...more] = problemOf(change);
    expect(more).toEqual([]);
    expect(line).toMatch(/^entry 0: /);
    expect(line).toContain(problem);
    expect(line).not.toContain("hunter2");
  });

  it("accepts private addresses and http on loopback only where they are allowed", () => {
    const urls = [
      "http://127.0.0.1:8000/",
      "http://localhost/",
      "http://[::1]/",
      "https://10.0.0.1/",
    ];
    for (const url of urls) {
      expect(problemOf({ url })).toHaveLength(1);
      expect(problemOf({ url }, true)).toEqual([]);
    }
    for (const url of ["http://10.0.0.1/", "http://shop.example/", "https://169.254.169.254/"]) {
      expect(problemOf({ url }, true)).toHaveLength(1);
    }
  });

  it("names every entry that is wrong, and one that is there twice", () => {
    const text = JSON.stringify([{ ...entry, tenant: "" }, entry, entry, { ...entry, secret: "" }]);
    expect(problemsOf(text).map((line) => line.slice(0, 18))).toEqual([
      expect.stringContaining("entry 0: "),
      expect.stringContaining("entry 2: "),
      expect.stringContaining("entry 3: "),
    ]);
  });
});
