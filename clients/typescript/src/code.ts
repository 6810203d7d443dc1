/** The gRPC status codes, which Connect shares. */
export const Code = {
  OK: 0,
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const;

export type Code = (typeof Code)[keyof typeof Code];

const codes: ReadonlySet<number> = new Set(Object.values(Code));

/** A number from the wire as a code; what the gRPC specification does not define counts as UNKNOWN. */
export function toCode(value: number): Code {
  return codes.has(value) ? (value as Code) : Code.UNKNOWN; // checked just before
}
