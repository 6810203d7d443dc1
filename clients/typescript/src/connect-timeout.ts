const CONNECT_HEADER = "connect-timeout-ms";
const GRPC_HEADER = "grpc-timeout";

/** Connect's transports write gRPC timeouts in milliseconds, whose unit is `m`. */
const GRPC_MILLISECONDS = /^(\d+)m$/;

/** Reads the time that a call may take, as the transport wrote it into its header. Milliseconds; infinite without. */
export function readTimeout(header: Headers): number {
  const text =
    header.get(CONNECT_HEADER) ?? GRPC_MILLISECONDS.exec(header.get(GRPC_HEADER) ?? "")?.[1];
  return text === undefined ? Number.POSITIVE_INFINITY : Number(text);
}

/** Tells the server how long an attempt may take, if its call has a timeout at all. */
export function writeTimeout(header: Headers, remainingMs: number): void {
  const wholeMs = Math.max(1, Math.ceil(remainingMs));
  if (header.has(CONNECT_HEADER)) {
    header.set(CONNECT_HEADER, String(wholeMs));
  }
  if (header.has(GRPC_HEADER)) {
    header.set(GRPC_HEADER, `${wholeMs}m`);
  }
}
