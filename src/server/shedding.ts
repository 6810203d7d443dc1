import type { Http2Session, IncomingHttpHeaders } from "node:http2";
import type { ErrorDescription } from "../idempotency/answers/errors.js";
import { overloaded } from "../idempotency/answers/refusals.js";
import type { Admission } from "../idempotency/execution/admission.js";
import { policiesOf } from "../idempotency/request/policy.js";
import { type Authenticator, verifiedCertificate } from "./identity.js";
import type { MountedService } from "./served-services.js";

export interface ShedderOptions {
  readonly admission: Admission;
  readonly authenticator: Authenticator;
  readonly services: readonly Pick<MountedService<unknown>, "service">[];
  /** Told of each call that is refused. */
  readonly onShed: () => void;
}

/** Says why a call need not even be read; undefined where it is to go on. */
export type Shedder = (
  headers: IncomingHttpHeaders,
  session: Http2Session,
) => ErrorDescription | undefined;

/**
 * Refuses calls that would not be taken before anything is spent on them: what
 * is read, decoded and recognised only to be refused is what overload feeds on.
 */
export function createShedder({
  admission,
  authenticator,
  services,
  onShed,
}: ShedderOptions): Shedder {
  const paths = new Set(
    services.flatMap(({ service }) =>
      [...policiesOf(service)]
        .filter(([, { required }]) => required)
        .map(([method]) => `/${service.typeName}/${method}`),
    ),
  );
  /** Made once for each delay. */
  const refusals = new Map<number, ErrorDescription>();
  const certificates = new WeakMap<Http2Session, ReturnType<typeof verifiedCertificate>>();

  function refusalFor(retryDelayMs: number): ErrorDescription {
    const known = refusals.get(retryDelayMs) ?? overloaded(retryDelayMs);
    refusals.set(retryDelayMs, known);
    return known;
  }

  function certificateOn(session: Http2Session): ReturnType<typeof verifiedCertificate> {
    if (!certificates.has(session)) {
      certificates.set(session, verifiedCertificate(session.socket));
    }
    return certificates.get(session);
  }

  return (headers, session) => {
    if (!admission.isTight() || !paths.has(headers[":path"] ?? "")) {
      return undefined;
    }
    const identification = authenticator({
      authorization: headers.authorization,
      certificate: certificateOn(session),
    });
    if (identification.kind === "refused" || !admission.refuses(identification.caller.tenant)) {
      return undefined;
    }
    onShed();
    return refusalFor(admission.retryDelayMs());
  };
}
