import { type PeerCertificate, TLSSocket } from "node:tls";
import { CallError, type ErrorDescription, refusal } from "../idempotency/answers/errors.js";
import { type Caller, DEFAULT_CALLER, type Identification } from "../idempotency/execution/call.js";
import { isRole, isTenant, TENANT_ACCEPTS, type Tokens, tokenHash } from "./tokens.js";

/** The credentials that a transport has received with a call. */
export interface Credentials {
  /** The metadata entry, or HTTP header, `authorization`. */
  readonly authorization?: string | undefined;
  /** The client's certificate, once the transport has verified who signed it. */
  readonly certificate?: ClientCertificate | undefined;
  /** The address and port of the peer. */
  readonly peer?: string | undefined;
}

/** The subject of a client's certificate. */
export interface ClientCertificate {
  readonly commonName: string;
  /** Its organizational units (OU). */
  readonly units: readonly string[];
}

/** The certificate of a verified peer; undefined where its subject has not exactly one common name. */
export function certificateOf(
  certificate: Partial<PeerCertificate> | null,
): ClientCertificate | undefined {
  // Attributes that are there twice come as a list, which the types do not say.
  const subject: { CN?: unknown; OU?: unknown } = certificate?.subject ?? {};
  const { CN: commonName, OU: units = [] } = subject;
  return typeof commonName === "string"
    ? { commonName, units: [units].flat().map(String) }
    : undefined;
}

/** The certificate that a peer has shown on a socket, where somebody trusted has signed it. */
export function verifiedCertificate(socket: unknown): ClientCertificate | undefined {
  return socket instanceof TLSSocket && socket.authorized
    ? certificateOf(socket.getPeerCertificate())
    : undefined;
}

export interface AuthenticatorOptions {
  /** Absent: bearer tokens mean nothing here. */
  readonly tokens?: Tokens | undefined;
  /** Says whether the common name of a client's certificate names its tenant. */
  readonly clientCertificates: "trusted" | "ignored";
  /** The caller that everybody counts as where neither kind of credential is configured. */
  readonly anybody?: Caller;
}

export type Authenticator = (credentials: Credentials) => Identification;

/**
 * Makes the function that finds out who calls. Either kind of credential is
 * enough where both are configured; one that is presented and wrong is refused,
 * whatever the other says. Where none is configured, nobody is asked for any.
 */
export function createAuthenticator({
  tokens,
  clientCertificates,
  anybody = DEFAULT_CALLER,
}: AuthenticatorOptions): Authenticator {
  const trustsCertificates = clientCertificates === "trusted";
  if (tokens === undefined && !trustsCertificates) {
    return ({ peer }) => from(peer, identified(anybody));
  }
  const accepted = [
    ...(tokens === undefined ? [] : ["a bearer token"]),
    ...(trustsCertificates ? ["a client certificate"] : []),
  ].join(" or ");

  return ({ authorization, certificate, peer }) => {
    const byToken =
      tokens === undefined || authorization === undefined
        ? undefined
        : callerByToken(tokens, authorization);
    const byCertificate =
      trustsCertificates && certificate !== undefined
        ? callerByCertificate(certificate)
        : undefined;
    return from(
      peer,
      combine(byToken, byCertificate) ??
        unauthenticated(`this service accepts only callers with ${accepted}`),
    );
  };
}

/** Adds from where the caller calls. */
function from(peer: string | undefined, found: Identification): Identification {
  return found.kind === "refused" || peer === undefined
    ? found
    : identified({ ...found.caller, peer });
}

function identified(caller: Caller): Identification {
  return { kind: "caller", caller };
}

/** @throws CallError with PERMISSION_DENIED unless the caller is an operator. */
export function requireOperator({ role }: Caller): void {
  if (role === "caller") {
    throw operatorRequired(
      "only an operator may call this method: a token or a client certificate says who is one, without authentication the flag --insecure-operator",
    );
  }
}

/**
 * The tenant whose keys an operator asks for: the one that it names, else its
 * own. Decided before anything is looked up, so that a refusal tells nothing.
 * @throws CallError with PERMISSION_DENIED unless the caller is that tenant's operator.
 */
export function operatedTenant(caller: Caller, named: string): string {
  requireOperator(caller);
  const tenant = named || caller.tenant;
  if (tenant !== caller.tenant && caller.role !== "global_operator") {
    throw operatorRequired("the keys of another tenant take the role global_operator");
  }
  return tenant;
}

function operatorRequired(message: string): CallError {
  return new CallError(refusal("OPERATOR_REQUIRED", message));
}

/** Undefined for a credential that was not presented, or does not count here. */
type Finding = Identification | undefined;

function combine(byToken: Finding, byCertificate: Finding): Finding {
  if (byToken === undefined || byCertificate === undefined) {
    return byToken ?? byCertificate;
  }
  if (byToken.kind === "refused") {
    return byToken;
  }
  if (byCertificate.kind === "refused") {
    return byCertificate;
  }
  // Of one tenant, the token decides: it is the one that was sent for this call.
  return byToken.caller.tenant === byCertificate.caller.tenant ? byToken : IDENTITY_CONFLICT;
}

// RFC 6750, section 2.1; the scheme's case does not matter (RFC 9110, section 11.1).
const BEARER = /^bearer +(?<token>[a-z0-9._~+/-]+=*)$/i;

function callerByToken(tokens: Tokens, authorization: string): Identification {
  const token = BEARER.exec(authorization)?.groups?.token;
  if (token === undefined) {
    return unauthenticated('authorization accepts "Bearer" and one token');
  }
  // A lookup's time depends on the hash, which nobody can steer towards a
  // token's hash; so it tells nothing of the tokens.
  const hash = tokenHash(token);
  const caller = tokens.get(hash);
  return caller === undefined
    ? unauthenticated("the bearer token is not known")
    : identified({ ...caller, identity: `token ${hash.slice(0, SHOWN_DIGITS)}` });
}

/** The number of digits of a token's hash that a log shows: enough to find its line in the tokens file. */
const SHOWN_DIGITS = 12;

// A unit that is no role is a department, as in most certificates. Of two roles
// neither is meant more than the other, so neither counts.
function callerByCertificate({ commonName, units }: ClientCertificate): Identification {
  const [role = "caller", ...others] = units.filter(isRole);
  return isTenant(commonName)
    ? identified({
        tenant: commonName,
        role: others.length === 0 ? role : "caller",
        identity: `certificate ${commonName}`,
      })
    : unauthenticated(`a client certificate's common name accepts a tenant: ${TENANT_ACCEPTS}`);
}

function unauthenticated(message: string): Identification {
  return refused(refusal("CALLER_UNAUTHENTICATED", message));
}

function refused(error: ErrorDescription): Identification {
  return { kind: "refused", error };
}

const IDENTITY_CONFLICT = refused(
  refusal(
    "IDENTITY_CONFLICT",
    "the bearer token and the client certificate name different tenants",
  ),
);
