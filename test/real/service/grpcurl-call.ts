import type { JsonObject } from "@bufbuild/protobuf";
import { expect } from "vitest";
import { grpcurl } from "../../support/grpcurl.js";

const SERVICE = "payonce.payments.v1.PaymentService";

/** grpcurl ends with this much more than the status code. */
const EXIT_CODE_OFFSET = 64;

/** What grpcurl shows of one call. */
export interface Shown {
  /** The gRPC status code. */
  readonly code: number;
  /** The response message of an OK, the status of an error; both as JSON. */
  readonly json: JsonObject;
  readonly headers: ReadonlyMap<string, string>;
  readonly trailers: ReadonlyMap<string, string>;
}

/** Calls a method of the payment service as a person with grpcurl does. */
export async function callWithGrpcurl(options: {
  readonly address: string;
  readonly method: string;
  readonly request: unknown;
  /** Metadata entries, each as `name: value`. */
  readonly metadata?: readonly string[];
}): Promise<Shown> {
  const { address, method, request, metadata = [] } = options;
  const { code, stdout, stderr } = await grpcurl([
    ...["-plaintext", "-v", "-format-error"],
    ...metadata.flatMap((entry) => ["-H", entry]),
    ...["-d", JSON.stringify(request)],
    ...[address, `${SERVICE}/${method}`],
  ]);
  const status = code === 0 ? 0 : code - EXIT_CODE_OFFSET;
  expect(status, stderr).toBeGreaterThanOrEqual(0);
  return {
    code: status,
    json: JSON.parse(status === 0 ? section(stdout, "Response contents") : stderr),
    headers: entriesOf(section(stdout, "Response headers received")),
    trailers: entriesOf(section(stdout, "Response trailers received")),
  };
}

/** The lines below a title, up to an empty line or the end. */
function section(output: string, title: string): string {
  return new RegExp(`^${title}:\\n((?:.+\\n)*)`, "m").exec(output)?.[1] ?? "";
}

function entriesOf(lines: string): ReadonlyMap<string, string> {
  return new Map(
    [...lines.matchAll(/^(\S+): (.*)$/gm)].map(([, name = "", value = ""]) => [name, value]),
  );
}
