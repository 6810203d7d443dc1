import { BlockList, isIP, isIPv4, isIPv6 } from "node:net";

/** A TCP address. An IPv6 host stands here without brackets. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

const ADDRESS = /^(?:\[(?<bracketed>[^\]]+)\]|(?<plain>[^:[\]]+)):(?<port>\d{1,5})$/;

// Underscores are no part of DNS, yet container names have them.
const HOST_NAME = /^[a-z0-9_]([a-z0-9._-]{0,251}[a-z0-9_])?$/i;

// So that a mistyped IPv4 address is not looked up as a name.
const ONLY_DIGITS = /^[\d.]+$/;

/** Reads `host:port`, an IPv6 host in brackets. */
export function parseAddress(text: string): Address | undefined {
  const { bracketed, plain, port } = ADDRESS.exec(text)?.groups ?? {};
  if (Number(port) > 65_535) {
    return undefined;
  }
  if (bracketed !== undefined) {
    return isIPv6(bracketed) ? { host: bracketed, port: Number(port) } : undefined;
  }
  return plain !== undefined && isHost(plain) ? { host: plain, port: Number(port) } : undefined;
}

function isHost(text: string): boolean {
  return isIPv4(text) || (HOST_NAME.test(text) && !ONLY_DIGITS.test(text));
}

/** The address as `host:port`, an IPv6 host in brackets. */
export function formatAddress({ host, port }: Address): string {
  return `${isIPv6(host) ? `[${host}]` : host}:${port}`;
}

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

/** Returns true if only programs on this machine can reach the host. */
export function isLoopback(host: string): boolean {
  // A zone index (RFC 4007) would hide the address from the list.
  const [address = host] = host.split("%");
  const family = isIP(address);
  // RFC 6761, section 6.3: `localhost` always means loopback.
  return family === 0
    ? host.toLowerCase() === "localhost"
    : loopback.check(address, family === 4 ? "ipv4" : "ipv6");
}
