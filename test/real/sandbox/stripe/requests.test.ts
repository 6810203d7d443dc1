import { once } from "node:events";
import { connect as openSocket } from "node:net";
import { describe, expect, it } from "vitest";
import { runSandbox } from "../support.js";
import { runStripeSandbox } from "./support.js";

const KEY = { authorization: "Bearer sk_test_1" };
const FORM = { "content-type": "application/x-www-form-urlencoded" };
const CHARGE =
  "amount=1000&currency=eur&payment_method=pm_card_visa&confirm=true&allowed_payment_method_types[]=card";

async function post(url: string, body: string, headers: Record<string, string> = {}) {
  const response = await fetch(`${url}/v1/payment_intents`, {
    method: "POST",
    headers: { ...KEY, ...FORM, ...headers },
    body,
  });
  return { status: response.status, headers: response.headers, answer: await response.json() };
}

describe("the face in Stripe's form", () => {
  it("is off unless it is asked for", async () => {
    const { sandbox } = await runSandbox();
    expect(sandbox.stripeAddress).toBeUndefined();
  });

  it("names each request, and the version that it was written for", async () => {
    const { url } = await runStripeSandbox();
    const headers = { "stripe-version": "2026-08-26.dahlia", "idempotency-key": "key-1" };
    const answered = await post(url, CHARGE, headers);

    expect(answered.status).toBe(200);
    expect(answered.headers.get("request-id")).toMatch(/^req_\w+$/);
    expect(answered.headers.get("stripe-version")).toBe("2026-08-26.dahlia");
    expect(answered.headers.get("idempotency-key")).toBe("key-1");
    expect(answered.headers.get("idempotent-replayed")).toBeNull();
    const again = await post(url, CHARGE, headers);
    expect(again.headers.get("idempotent-replayed")).toBe("true");
    expect(again.answer).toEqual(answered.answer);
  });

  it("without a key takes every POST for a new one", async () => {
    const { url, lines } = await runStripeSandbox();
    await post(url, CHARGE);
    await post(url, CHARGE);
    expect(await lines()).toHaveLength(2);
  });

  it("takes a token as that of a card, which Stripe's guides have and its published schema has not", async () => {
    const { url, lines } = await runStripeSandbox();
    const data = "payment_method_data[type]=card&payment_method_data[card][token]=tok_visa";
    const { status } = await post(url, CHARGE.replace("payment_method=pm_card_visa", data));
    expect(status).toBe(200);
    expect(await lines()).toMatchObject([{ payment_method: "tok_visa" }]);
  });

  it("knows payment_method_types of the versions that have it only", async () => {
    const { url } = await runStripeSandbox();
    const body = CHARGE.replace("allowed_", "");
    const older = await post(url, body, { "stripe-version": "2026-08-26.dahlia" });
    expect(older.status).toBe(200);
    const newer = await post(url, body, { "stripe-version": "2026-10-28.endive" });
    expect(newer).toMatchObject({
      status: 400,
      answer: { error: { code: "parameter_unknown", param: "payment_method_types" } },
    });
  });

  it.each([
    ["Basic", `Basic ${Buffer.from("sk_test_1:").toString("base64")}`, 200],
    ["a restricted key", "Bearer rk_test_1", 200],
    ["no key", "", 401],
    ["a live key", "Bearer sk_live_verysecret", 401],
    ["nonsense", "Digest x", 401],
    ["a publishable key", "Bearer pk_test_1", 401],
  ])("with %s", async (_, authorization, expected) => {
    const { url } = await runStripeSandbox();
    const headers: Record<string, string> = authorization === "" ? {} : { authorization };
    const response = await fetch(`${url}/v1/balance`, { headers });
    expect(response.status).toBe(expected);
    const text = await response.text();
    expect(text).not.toContain("verysecret");
    if (expected === 401) {
      expect(JSON.parse(text)).toMatchObject({ error: { type: "invalid_request_error" } });
    }
  });

  it.each([
    ["an unknown parameter", `${CHARGE}&zebra=1`, "parameter_unknown", "zebra"],
    [
      "an unknown nested one",
      `${CHARGE}&automatic_payment_methods[enabled]=true&automatic_payment_methods[x]=1`,
      "parameter_unknown",
      "automatic_payment_methods[x]",
    ],
    ["no amount", CHARGE.replace("amount=1000&", ""), "parameter_missing", "amount"],
    ["no integer", CHARGE.replace("1000", "10.5"), "parameter_invalid_integer", "amount"],
    ["another boolean", CHARGE.replace("true", "yes"), undefined, "confirm"],
    ["a list of lists", `${CHARGE}&metadata[a][b]=1`, undefined, "metadata"],
    ["a value and a hash", `${CHARGE}&metadata=1&metadata[a]=1`, undefined, undefined],
    ["a broken escape", `${CHARGE}&description=%zz`, undefined, undefined],
    ["a broken bracket", `${CHARGE}&metadata[a=1`, undefined, undefined],
    ["a prototype", `${CHARGE}&__proto__[amount]=1`, "parameter_unknown", "__proto__"],
    ["deep nesting", `${CHARGE}&a[b][c][d][e][f]=1`, undefined, undefined],
    ["too many parameters", `${CHARGE}${"&a=1".repeat(600)}`, undefined, undefined],
    [
      "too long a key of metadata",
      `${CHARGE}&metadata[${"k".repeat(41)}]=1`,
      undefined,
      "metadata",
    ],
  ])("refuses %s with 400, and goes on", async (_, body, code, param) => {
    const { url, lines } = await runStripeSandbox();

    const { status, answer } = await post(url, body);

    expect(status).toBe(400);
    expect(answer).toMatchObject({
      error: {
        type: "invalid_request_error",
        message: expect.any(String),
        ...(code === undefined ? {} : { code }),
        ...(param === undefined ? {} : { param }),
      },
    });
    expect(await lines()).toEqual([]);
    expect((await post(url, CHARGE)).status).toBe(200);
  });

  it.each([
    ["JSON", "{}", { "content-type": "application/json" }, 400],
    ["another version's name", CHARGE, { "stripe-version": "newest" }, 400],
    ["more than 1 MiB", `description=${"x".repeat(1024 * 1024)}`, {}, 413],
    ["8 MiB", `description=${"x".repeat(8 * 1024 * 1024)}`, {}, 413],
  ])("refuses %s", async (_, body, headers, status) => {
    const { url } = await runStripeSandbox();
    expect((await post(url, body, headers)).status).toBe(status);
    expect((await post(url, CHARGE)).status).toBe(200);
  });

  it.each([
    ["GET", "/v1/customers"],
    ["DELETE", "/v1/payment_intents/pi_1"],
    ["POST", "/v1/payment_intents/pi_1/confuse"],
    ["GET", "/"],
    ["GET", "/v1/payment_intents/pi_none"],
    ["GET", "/v1/refunds/re_none"],
    ["POST", "/v1/payment_intents/pi_none/capture"],
  ])("answers %s %s with 404", async (method, path) => {
    const { url } = await runStripeSandbox();
    const response = await fetch(`${url}${path}`, { method, headers: KEY });
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ error: { type: "invalid_request_error" } });
  });

  it("ends a body without an end, and outlives that", async () => {
    const { url } = await runStripeSandbox();
    const socket = openSocket(Number(new URL(url).port), "127.0.0.1");
    await once(socket, "connect");
    socket.on("error", () => undefined);
    socket.write(
      `POST /v1/refunds HTTP/1.1\r\nHost: x\r\nAuthorization: ${KEY.authorization}\r\nContent-Length: 99999999\r\n\r\n`,
    );
    socket.resume();
    const closed = new Promise((resolve) => socket.once("close", resolve));
    const mebibyte = Buffer.alloc(1024 * 1024, "x");
    for (let sent = 0; sent < 90 && !socket.destroyed; sent += 1) {
      if (!socket.write(mebibyte)) {
        await Promise.race([new Promise((resolve) => socket.once("drain", resolve)), closed]);
      }
    }
    await closed;
    expect((await post(url, CHARGE)).status).toBe(200);
  });

  it("outlives what is no HTTP, and clients that hang up in the middle", async () => {
    const { url } = await runStripeSandbox();
    const port = Number(new URL(url).port);
    for (const text of [
      "nonsense\r\n\r\n",
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
      `POST /v1/payment_intents HTTP/1.1\r\nHost: x\r\nAuthorization: ${KEY.authorization}\r\nContent-Length: 99\r\n\r\namount=1`,
    ]) {
      const socket = openSocket(port, "127.0.0.1");
      await once(socket, "connect");
      socket.on("error", () => undefined);
      socket.end(text);
      socket.resume();
      await once(socket, "close");
    }
    expect((await post(url, CHARGE)).status).toBe(200);
  });
});
