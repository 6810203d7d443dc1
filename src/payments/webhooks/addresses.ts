import { BlockList, isIP } from "node:net";

// IPv4 and IPv6 have lists of their own: BlockList takes an IPv4 address for
// an IPv6 one where a rule is of IPv6, so ::/3 would hold all of them.

/**
 * The addresses that are nobody's endpoint, also where private ones are
 * allowed: link-local ones, where clouds serve a machine's credentials, and what
 * is no single host (https://www.iana.org/assignments/iana-ipv4-special-registry,
 * https://www.iana.org/assignments/iana-ipv6-special-registry).
 */
const never = listOf([
  "0.0.0.0/8",
  "100.100.100.200/32", // Alibaba Cloud's metadata
  "169.254.0.0/16", // link-local, metadata of most clouds
  "224.0.0.0/4",
  "240.0.0.0/4",
  "::/128",
  "::/96", // IPv4 in disguise: compatible, mapped, translated, NAT64, 6to4, Teredo
  "::ffff:0:0/96",
  "::ffff:0:0:0/96",
  "64:ff9b::/96",
  "64:ff9b:1::/48",
  "2001::/32",
  "2002::/16",
  "fd00:ec2::/32", // Amazon's metadata
  "fe80::/10",
  "fec0::/10",
  "ff00::/8",
]);

const loopback = listOf(["127.0.0.0/8", "::1/128"]);

/** What no public network routes. */
const privates = listOf([
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.88.99.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  // All but 2000::/3, which alone is global unicast (RFC 4291), and what is special in it.
  "::/3",
  "4000::/2",
  "8000::/1",
  "2001::/23",
  "2001:db8::/32",
  "3fff::/20",
]);

export interface AddressRules {
  /** Private addresses and those of this machine may be connected to. */
  readonly allowPrivate: boolean;
}

/** Decides whether an address may be connected to. What is no address may not. */
export function isAllowedAddress(address: string, { allowPrivate }: AddressRules): boolean {
  if (isLoopbackAddress(address)) {
    return allowPrivate;
  }
  return isIP(address) !== 0 && !isIn(never, address) && (allowPrivate || !isIn(privates, address));
}

export function isLoopbackAddress(address: string): boolean {
  return isIn(loopback, address);
}

/** The address that a URL's host is, if it is no name. URL has brought other forms into this one. */
export function addressOf({ hostname }: URL): string | undefined {
  const host = hostname.replace(/^\[(.*)\]$/, "$1");
  return isIP(host) === 0 ? undefined : host;
}

interface AddressList {
  readonly ipv4: BlockList;
  readonly ipv6: BlockList;
}

function listOf(subnets: readonly string[]): AddressList {
  const list = { ipv4: new BlockList(), ipv6: new BlockList() };
  for (const subnet of subnets) {
    const [network = "", prefix] = subnet.split("/");
    const family = familyOf(network);
    list[family].addSubnet(network, Number(prefix), family);
  }
  return list;
}

function isIn(list: AddressList, address: string): boolean {
  const family = familyOf(address);
  return list[family].check(address, family);
}

function familyOf(address: string): "ipv4" | "ipv6" {
  return isIP(address) === 6 ? "ipv6" : "ipv4";
}
