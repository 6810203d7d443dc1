import type { IncomingHttpHeaders } from "node:http";
import { isIP } from "node:net";
import type { Config } from "./config.js";

/**
 * Keeps web pages of others out. A page whose name is pointed at this machine
 * (DNS rebinding) makes a browser call this port with the page's own name as
 * `Host`; a page anywhere else makes it send its `Origin`.
 *
 * `Host` is looked at where nobody is authenticated: a rebound page knows no
 * token, and TLS refuses its name before any client certificate is shown. There
 * any balancer's name is good, unless HTTP_ALLOWED_HOSTS says which are. An
 * address as `Host` is no rebound name: rebinding takes a name.
 *
 * `Origin` is looked at always: a browser adds the client certificate by itself.
 * A page that this port has served has the very `Host` as its origin.
 */
export function createHostCheck({
  httpListen,
  httpAllowedHosts,
  authTokensFile,
  tlsClientCaFile,
}: Pick<Config, "httpListen" | "httpAllowedHosts" | "authTokensFile" | "tlsClientCaFile">) {
  const isAuthenticated = authTokensFile !== undefined || tlsClientCaFile !== undefined;
  const checksHost = !isAuthenticated || httpAllowedHosts !== undefined;
  const allowed = new Set([
    ...LOOPBACK,
    httpListen.host.toLowerCase(),
    ...(httpAllowedHosts ?? []),
  ]);

  /** Returns why a request is refused, or undefined where it is not. */
  return ({ host = "", origin }: IncomingHttpHeaders): string | undefined => {
    const name = hostName(`http://${host}`);
    if (checksHost && !(name !== undefined && (allowed.has(name) || isIP(name) !== 0))) {
      return refusal("Host");
    }
    const isOwn = origin !== undefined && authorityOf(origin) === host.toLowerCase();
    if (origin !== undefined && !isOwn && !allowed.has(hostName(origin) ?? "")) {
      return refusal("Origin");
    }
    return undefined;
  };
}

const LOOPBACK = ["localhost", "127.0.0.1", "::1"];

// The text does not repeat what was sent: a page may read its own answer.
function refusal(header: "Host" | "Origin"): string {
  return `the request's ${header} is not one that this service answers to; HTTP_ALLOWED_HOSTS names more`;
}

/** The host in a URL, an IPv6 address without brackets; undefined where there is none. */
function hostName(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).hostname.replace(/^\[|\]$/g, "") : undefined;
}

/** The host with its port, as `Host` has it; undefined where there is none. */
function authorityOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}
