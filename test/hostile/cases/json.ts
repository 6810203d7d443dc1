import type { OutgoingHttpHeaders } from "node:http";
import type { Random } from "../../support/random.js";
import type { Attempt } from "../attempt.js";
import { type Kind, scopeOf } from "../kind.js";
import { anyBytes, anyPayment, jsonOf, withFlips } from "../payment.js";
import { sendHttp } from "../send.js";
import { SECRET } from "../settings.js";

// JSON over Connect, in every form that some decoder takes for something.

interface Drawn extends Pick<Attempt, "truth" | "reasons" | "minorUnits" | "isBelowUs"> {
  readonly body: string | Uint8Array;
  readonly headers?: OutgoingHttpHeaders;
}

function jsonKind(name: string, weight: number, draw: (random: Random) => Drawn): Kind {
  return {
    name: `JSON: ${name}`,
    weight,
    async attack({ target, random, key }) {
      const { body, headers, ...truth } = draw(random);
      const reply = await sendHttp(target, {
        protocol: "Connect with JSON",
        headers: { "idempotency-key": key, ...headers },
        body,
      });
      return { reply, scope: scopeOf(key), ...truth };
    },
  };
}

const INVALID = ["REQUEST_INVALID"];
const refused = (body: string | Uint8Array, reasons = INVALID): Drawn => ({
  body,
  truth: "refused",
  reasons,
});

const amountOf = (minorUnits: string) =>
  `{"amount":{"currencyCode":"EUR","minorUnits":${minorUnits}},"paymentMethod":"tok_visa"}`;

const withField = (name: string, value: string) =>
  amountOf("100").replace(/}$/, `,${JSON.stringify(name)}:${value}}`);

const ODD_NUMBERS = [
  ...['"0x10"', '"0b101"', '"0o17"', '" 5"', '"5 "', '"+5"', '"05"', '"5.0"', '"5e2"', '""'],
  ...["5.0", "5e2", "1E400", "-0.5", "1e-7", "999999999999999.99", "9007199254740993", '"1_000"'],
  ...['"1,000"', '"٥"', '"５"', '"5\\u0000"', '"5\\n"', "true", "[5]", '{"value":5}', '"NaN"'],
  ...["NaN", "Infinity", "-Infinity", '"Infinity"', "0x10", "+5", ".5", "5.", "05", "1n", '"5n"'],
];

const BROKEN_TEXTS = ['"\\ud83d"', '"a\\udc00b"', '"\\ud83d\\ud83d"'];

const CONTENT_TYPES = [
  ["application/json", "accepted"],
  ["application/json; charset=utf-8", "accepted"],
  ["application/json;charset=UTF-8", "accepted"],
  ["application/json; charset=utf-16", "either"],
  ["application/json; charset=latin1", "either"],
  ["application/json; charset=utf-8; charset=utf-7", "either"],
  ["application/json, text/plain", "either"],
  ["APPLICATION/JSON", "either"],
  ["application/jsonp", "either"],
  ["application/connect+json", "either"],
  ["text/plain", "either"],
  ["text/json", "either"],
  ["application/x-www-form-urlencoded", "either"],
  ["multipart/form-data; boundary=x", "either"],
  ["application/proto", "either"],
  ["application/grpc-web+json", "either"],
  ["application/grpc", "either"],
  [`application/json; x=${"y".repeat(4_000)}`, "either"],
  ["", "either"],
] as const;

export const jsonKinds: readonly Kind[] = [
  jsonKind("correct", 10, (random) => {
    const payment = anyPayment(random);
    const minorUnits = payment.amount?.minorUnits ?? 0n;
    return { body: jsonOf(payment), truth: "accepted", minorUnits };
  }),
  jsonKind("bytes flipped", 40, (random) => ({
    body: withFlips(random, Buffer.from(jsonOf(anyPayment(random)))),
    truth: "either",
  })),
  jsonKind("cut", 10, (random) => {
    const body = Buffer.from(jsonOf(anyPayment(random)));
    return refused(body.subarray(0, random.integer(0, body.length - 1)), [
      ...INVALID,
      "AMOUNT_INVALID", // of nothing at all
    ]);
  }),
  jsonKind("random bytes", 5, (random) => refused(anyBytes(random, random.integer(1, 400)))),
  jsonKind("odd numbers", 20, (random) => refused(amountOf(random.pick(ODD_NUMBERS)))),
  jsonKind("many digits", 2, (random) => {
    const digits = random.pick(["9", "0", "1"]).repeat(random.integer(40, 300_000));
    return refused(amountOf(random.chance(0.5) ? digits : `"${digits}"`));
  }),
  jsonKind("levels without end", 3, (random) => {
    const depth = random.integer(101, 50_000);
    const [open, close] = random.pick([
      ["[", "]"],
      ['{"a":', "}"],
      ['[{"a":', "}]"],
    ]) as [string, string]; // a pair each
    const nested = `${open.repeat(depth)}1${random.chance(0.5) ? close.repeat(depth) : ""}`;
    return refused(random.chance(0.5) ? nested : withField("metadata", nested));
  }),
  jsonKind("names twice", 5, (random) => {
    const [first, last] = [random.integer(1, 99), random.integer(100, 999)];
    return {
      body: random.pick([
        `{"amount":{"currencyCode":"EUR","minorUnits":${first},"minorUnits":${last}},"paymentMethod":"tok_visa"}`,
        `{"amount":{"currencyCode":"EUR","minor_units":${first},"minorUnits":${last}},"paymentMethod":"tok_visa"}`,
        `{"amount":{"currencyCode":"EUR","minorUnits":${first}},"amount":{"currencyCode":"EUR","minorUnits":${last}},"paymentMethod":"tok_visa"}`,
        `{"amount":{"currencyCode":"EUR","minorUnits":${last}},"paymentMethod":"x","payment_method":"tok_visa"}`,
      ]),
      truth: "either",
      minorUnits: BigInt(last),
    };
  }),
  jsonKind("halves of characters", 5, (random) => {
    const text = random.pick(BROKEN_TEXTS);
    const name = random.pick(["description", "merchantReference"]);
    return refused(
      random.pick([
        withField(name, text),
        withField("metadata", `{"a":${text}}`),
        withField("metadata", `{${text}:"a"}`),
        withField("unknown", text),
      ]),
    );
  }),
  jsonKind("unknown fields", 5, (random) =>
    refused(
      withField(
        random.pick([
          "unknown",
          "amounts",
          "AMOUNT",
          "@type",
          "constructor",
          "toString",
          "amount ",
        ]),
        random.pick(["1", "null", '"x"', "[]", "{}"]),
      ),
    ),
  ),
  jsonKind("names of the language", 3, (random) => {
    const name = random.pick(["__proto__", "constructor", "toString", "hasOwnProperty"]);
    return { body: withField("metadata", `{${JSON.stringify(name)}:"x"}`), truth: "either" };
  }),
  jsonKind("wrong types", 10, (random) =>
    refused(
      withField(
        random.pick(["description", "merchantReference", "idempotencyKey"]),
        random.pick(["1", "true", "[]", "{}", '["x"]']),
      ),
    ),
  ),
  jsonKind("wrong types of metadata", 5, (random) =>
    refused(
      withField("metadata", random.pick(["1", '"x"', "[]", '{"a":1}', '{"a":null}', '{"a":{}}'])),
    ),
  ),
  jsonKind("names of captures", 5, (random) =>
    refused(
      withField("captureMethod", random.pick(['"NOPE"', '""', "1.5", "[]", "99", "-1", '"2 "'])),
      [...INVALID, "FIELD_INVALID"],
    ),
  ),
  jsonKind("no object", 3, (random) =>
    refused(random.pick(["[]", "1", '"x"', "true", "[{}]", "{}{}", `${amountOf("1")}x`])),
  ),
  jsonKind("not quite JSON", 5, (random) => {
    const body = amountOf("100");
    return refused(
      random.pick([
        `/* c */${body}`,
        `${body}// c`,
        body.replace("}", ",}"),
        body.replaceAll('"', "'"),
        `${body}\u0000`,
        `\u0000${body}`,
        body.replace(":", "="),
        body.replaceAll('"amount"', "amount"),
        `)]}',\n${body}`,
        body.replace("EUR", "E\nUR"),
        body.replace("EUR", "E\\x55R"),
      ]),
    );
  }),
  jsonKind("other encodings", 5, (random) => {
    const body = amountOf("100");
    const written = random.pick([
      Buffer.from(`\ufeff${body}`, "utf16le"),
      Buffer.from(body, "utf16le"),
      Buffer.from(withField("description", '"caf\u00e9"'), "latin1"),
      Buffer.concat([Buffer.from(body.slice(0, -1)), Buffer.from([0xff, 0x7d])]),
      Buffer.concat([Buffer.from('{"description":"'), Buffer.from([0xed, 0xa0, 0x80, 0x22, 0x7d])]),
    ]);
    return refused(written);
  }),
  jsonKind("byte order marks", 1, () => ({ body: `\ufeff${amountOf("100")}`, truth: "either" })),
  jsonKind("content types", 10, (random) => {
    const [contentType, truth] = random.pick(CONTENT_TYPES);
    const headers = { "content-type": contentType };
    return { body: amountOf("100"), headers, truth, isBelowUs: truth === "either" };
  }),
  jsonKind("headers with odd bytes", 10, (random) => {
    const odd = random.pick(["\t", "\u00e9", "\u00ff", "a".repeat(2_000), ",", ";", '"']);
    const name = random.pick([
      "x-token",
      "cookie",
      "accept",
      "traceparent",
      "connect-protocol-version",
    ]);
    return {
      body: amountOf("100"),
      headers: { [name]: `Bearer ${SECRET}${odd}` },
      truth: "either",
      isBelowUs: true,
    };
  }),
  jsonKind("timeouts", 3, (random) => ({
    body: amountOf("100"),
    headers: {
      "connect-timeout-ms": random.pick([
        "-1",
        "0",
        "1",
        "x",
        "99999999999",
        "1e3",
        "10000",
        "1.5",
      ]),
    },
    truth: "either",
  })),
];
