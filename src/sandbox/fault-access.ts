import { createHash, timingSafeEqual } from "node:crypto";
import { Code, ConnectError } from "@connectrpc/connect";

/** The callers who may arm faults. */
export type FaultAccess =
  | { readonly kind: "anybody" }
  /** Whoever sends this bearer token. */
  | { readonly kind: "bearer"; readonly token: string }
  | { readonly kind: "nobody" };

// RFC 6750, section 2.1; the scheme's case does not matter (RFC 9110, section 11.1).
const BEARER = /^bearer +(?<token>\S+)$/i;

/** @throws ConnectError unless a call with this `authorization` may arm faults. */
export function checkFaultAccess(access: FaultAccess, authorization: string | null): void {
  switch (access.kind) {
    case "anybody":
      return;
    case "nobody":
      throw new ConnectError(
        "beyond loopback faults take a token, and SANDBOX_TOKEN_FILE names none",
        Code.PermissionDenied,
      );
    case "bearer": {
      const token = BEARER.exec(authorization ?? "")?.groups?.token;
      if (token === undefined || !isEqual(token, access.token)) {
        throw new ConnectError(
          "faults take the bearer token of SANDBOX_TOKEN_FILE",
          Code.Unauthenticated,
        );
      }
    }
  }
}

/** Takes as long wherever the two differ. */
function isEqual(one: string, other: string): boolean {
  return timingSafeEqual(sha256(one), sha256(other));
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
