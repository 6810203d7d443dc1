/** What a request is recognised by. */
export interface Fingerprint {
  /** The version of the canonical form. */
  readonly version: number;
  /** SHA-256 of the operation and of the request in canonical form. */
  readonly canonical: Uint8Array;
  /** SHA-256 of the operation and of the request's bytes as they came. */
  readonly raw: Uint8Array;
}
