import { describe, expect, it } from "vitest";
import { addressOf, isAllowedAddress } from "../../../../src/payments/webhooks/addresses.js";

/** As a URL may have it, with whether it may be connected to: otherwise, and where private ones are allowed. */
const forms: readonly [host: string, byDefault: boolean, withPrivate: boolean][] = [
  ["1.1.1.1", true, true],
  ["93.184.215.14", true, true],
  ["172.32.0.1", true, true],
  ["100.128.0.1", true, true],
  ["[2606:4700:4700::1111]", true, true],
  ["[2a00:1450:4001:830::200e]", true, true],
  // This machine, in the forms that URL reads.
  ["127.0.0.1", false, true],
  ["127.255.255.254", false, true],
  ["2130706433", false, true],
  ["0x7f000001", false, true],
  ["0x7f.1", false, true],
  ["0177.0.0.1", false, true],
  ["127.1", false, true],
  ["127.0.0.1.", false, true],
  ["[::1]", false, true],
  ["[0:0:0:0:0:0:0:1]", false, true],
  // Networks of one's own.
  ["10.0.0.1", false, true],
  ["10.255.255.255", false, true],
  ["172.16.0.1", false, true],
  ["172.31.255.255", false, true],
  ["192.168.1.1", false, true],
  ["100.64.0.1", false, true],
  ["198.18.0.1", false, true],
  ["192.0.2.1", false, true],
  ["[fc00::1]", false, true],
  ["[fd12:3456:789a::1]", false, true],
  ["[2001:db8::1]", false, true],
  // Nobody's endpoint.
  ["0.0.0.0", false, false],
  ["0", false, false],
  ["169.254.169.254", false, false],
  ["0xa9fea9fe", false, false],
  ["2852039166", false, false],
  ["100.100.100.200", false, false],
  ["224.0.0.1", false, false],
  ["255.255.255.255", false, false],
  ["[::]", false, false],
  ["[fe80::1]", false, false],
  ["[febf::1]", false, false],
  ["[fec0::1]", false, false],
  ["[ff02::1]", false, false],
  ["[fd00:ec2::254]", false, false],
  // IPv4 in IPv6.
  ["[::ffff:127.0.0.1]", false, false],
  ["[::ffff:a9fe:a9fe]", false, false],
  ["[::ffff:1.1.1.1]", false, false],
  ["[::127.0.0.1]", false, false],
  ["[::ffff:0:127.0.0.1]", false, false],
  ["[64:ff9b::7f00:1]", false, false],
  ["[64:ff9b:1::7f00:1]", false, false],
  ["[2002:7f00:1::]", false, false],
  ["[2001:0:7f00:1::]", false, false],
];

describe("the address of an endpoint", () => {
  it.each(forms)(
    "%s: allowed %s, and %s where private ones are",
    (host, byDefault, withPrivate) => {
      const address = addressOf(new URL(`https://${host}/`)) ?? "none";
      expect(isAllowedAddress(address, { allowPrivate: false })).toBe(byDefault);
      expect(isAllowedAddress(address, { allowPrivate: true })).toBe(withPrivate);
    },
  );

  it("is none where the host is a name", () => {
    expect(addressOf(new URL("https://shop.example/"))).toBeUndefined();
    expect(isAllowedAddress("shop.example", { allowPrivate: true })).toBe(false);
  });
});
